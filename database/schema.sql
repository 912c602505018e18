-- FlaskCart, the whole schema for a fresh install; parents first.
-- MariaDB >= 10.6 and MySQL >= 8.0. Money is integers in the currency's smallest unit (…_minor), time is UTC by the database's clock.
-- People's text is utf8mb4_unicode_520_ci; keys, tokens, hashes, slugs, SKUs, numbers and normalised e-mails compare byte by byte.

CREATE TABLE schema_migrations (
    version     VARCHAR(80)  CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    checksum    CHAR(64)     CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    applied_at  DATETIME(6)  NOT NULL,
    PRIMARY KEY (version)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_unicode_520_ci;

-- A lease is held by whoever could write the row; it ends by itself, so a killed holder blocks nobody for long.
CREATE TABLE leases (
    name    VARCHAR(60)  CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    holder  VARCHAR(80)  CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    ends_at DATETIME(6)  NOT NULL,
    PRIMARY KEY (name)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_unicode_520_ci;

-- The owner's choices. Values are JSON; services/settings.py knows their types and first values.
CREATE TABLE settings (
    name        VARCHAR(60)  CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    value       TEXT         NOT NULL,
    updated_at  DATETIME(6)  NOT NULL,
    PRIMARY KEY (name)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_unicode_520_ci;

CREATE TABLE users (
    id             BIGINT UNSIGNED NOT NULL AUTO_INCREMENT,
    username       VARCHAR(32)     NOT NULL,
    username_key   VARCHAR(32)     CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    email          VARCHAR(254)    NOT NULL,
    email_key      VARCHAR(254)    CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
    password_hash  VARCHAR(255)    CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    first_name     VARCHAR(80)     NOT NULL DEFAULT '',
    last_name      VARCHAR(80)     NOT NULL DEFAULT '',
    phone          VARCHAR(32)     NOT NULL DEFAULT '',
    role           VARCHAR(16)     CHARACTER SET ascii COLLATE ascii_bin NOT NULL DEFAULT 'customer',
    status         VARCHAR(16)     CHARACTER SET ascii COLLATE ascii_bin NOT NULL DEFAULT 'active',
    created_at     DATETIME(6)     NOT NULL,
    updated_at     DATETIME(6)     NOT NULL,
    PRIMARY KEY (id),
    UNIQUE KEY uq_users_username (username_key),
    UNIQUE KEY uq_users_email (email_key),
    KEY ix_users_role (role, id),
    CONSTRAINT ck_users_role CHECK (role IN ('customer', 'staff', 'admin')),
    CONSTRAINT ck_users_status CHECK (status IN ('active', 'deactivated'))
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_unicode_520_ci;

-- The session is the device: whoever holds the cookie whose hash stands here is signed in as user_id, or is a guest.
CREATE TABLE sessions (
    id          BIGINT UNSIGNED NOT NULL AUTO_INCREMENT,
    token_hash  CHAR(64)        CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    user_id     BIGINT UNSIGNED NULL,
    data        TEXT            NOT NULL,
    ip          VARCHAR(45)     CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    user_agent  VARCHAR(255)    NOT NULL,
    created_at  DATETIME(6)     NOT NULL,
    seen_at     DATETIME(6)     NOT NULL,
    expires_at  DATETIME(6)     NOT NULL,
    PRIMARY KEY (id),
    UNIQUE KEY uq_sessions_token (token_hash),
    KEY ix_sessions_user (user_id, seen_at),
    KEY ix_sessions_expires (expires_at),
    CONSTRAINT fk_sessions_user FOREIGN KEY (user_id) REFERENCES users (id) ON DELETE CASCADE
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_unicode_520_ci;

-- Something a person must prove with a code from a mail. A pending registration lives here and nowhere else.
CREATE TABLE challenges (
    id             BIGINT UNSIGNED  NOT NULL AUTO_INCREMENT,
    token_hash     CHAR(64)         CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    purpose        VARCHAR(16)      CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    email          VARCHAR(254)     NOT NULL,
    email_key      VARCHAR(254)     CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
    user_id        BIGINT UNSIGNED  NULL,
    username       VARCHAR(32)      NOT NULL DEFAULT '',
    password_hash  VARCHAR(255)     CHARACTER SET ascii COLLATE ascii_bin NOT NULL DEFAULT '',
    tries          TINYINT UNSIGNED NOT NULL DEFAULT 0,
    created_at     DATETIME(6)      NOT NULL,
    expires_at     DATETIME(6)      NOT NULL,
    PRIMARY KEY (id),
    UNIQUE KEY uq_challenges_token (token_hash),
    KEY ix_challenges_email (email_key, purpose, created_at),
    KEY ix_challenges_user (user_id),
    KEY ix_challenges_expires (expires_at),
    CONSTRAINT fk_challenges_user FOREIGN KEY (user_id) REFERENCES users (id) ON DELETE CASCADE,
    CONSTRAINT ck_challenges_purpose CHECK (purpose IN ('register', 'reset')),
    CONSTRAINT ck_challenges_tries CHECK (tries <= 5)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_unicode_520_ci;

-- A resend adds a code and leaves the former one good; the hash is keyed and bound to purpose and challenge.
CREATE TABLE codes (
    id            BIGINT UNSIGNED NOT NULL AUTO_INCREMENT,
    challenge_id  BIGINT UNSIGNED NOT NULL,
    code_hash     CHAR(64)        CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    created_at    DATETIME(6)     NOT NULL,
    expires_at    DATETIME(6)     NOT NULL,
    used_at       DATETIME(6)     NULL,
    PRIMARY KEY (id),
    KEY ix_codes_challenge (challenge_id, code_hash),
    CONSTRAINT fk_codes_challenge FOREIGN KEY (challenge_id) REFERENCES challenges (id) ON DELETE CASCADE
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_unicode_520_ci;

-- One row for each allowance in use: when it will be unused again (the "theoretical arrival time" of the leaky-bucket algorithm GCRA).
CREATE TABLE allowances (
    name     CHAR(64)     CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    free_at  DATETIME(6)  NOT NULL,
    PRIMARY KEY (name),
    KEY ix_allowances_free (free_at)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_unicode_520_ci;

CREATE TABLE categories (
    id           BIGINT UNSIGNED NOT NULL AUTO_INCREMENT,
    parent_id    BIGINT UNSIGNED NULL,
    slug         VARCHAR(120)    CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    name         VARCHAR(120)    NOT NULL,
    description  VARCHAR(1000)   NOT NULL DEFAULT '',
    image_path   VARCHAR(190)    CHARACTER SET ascii COLLATE ascii_bin NULL,
    position     INT UNSIGNED    NOT NULL DEFAULT 0,
    demo         BOOLEAN         NOT NULL DEFAULT FALSE,
    PRIMARY KEY (id),
    UNIQUE KEY uq_categories_slug (slug),
    KEY ix_categories_parent (parent_id),
    CONSTRAINT fk_categories_parent FOREIGN KEY (parent_id) REFERENCES categories (id)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_unicode_520_ci;

-- price_minor and price_max_minor repeat the cheapest and the dearest variant, so that a list sorts and filters by an index;
-- catalogue.refresh_prices writes them in the same transaction as any variant's price.
CREATE TABLE products (
    id               BIGINT UNSIGNED NOT NULL AUTO_INCREMENT,
    slug             VARCHAR(190)    CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    title            VARCHAR(190)    NOT NULL,
    description      TEXT            NOT NULL,
    category_id      BIGINT UNSIGNED NULL,
    brand            VARCHAR(120)    NOT NULL DEFAULT '',
    tags             VARCHAR(500)    NOT NULL DEFAULT '',
    option1          VARCHAR(60)     NOT NULL DEFAULT '',
    option2          VARCHAR(60)     NOT NULL DEFAULT '',
    option3          VARCHAR(60)     NOT NULL DEFAULT '',
    price_minor      BIGINT          NOT NULL,
    price_max_minor  BIGINT          NOT NULL,
    seo_title        VARCHAR(190)    NOT NULL DEFAULT '',
    seo_description  VARCHAR(500)    NOT NULL DEFAULT '',
    published        BOOLEAN         NOT NULL DEFAULT TRUE,
    demo             BOOLEAN         NOT NULL DEFAULT FALSE,
    version          INT UNSIGNED    NOT NULL DEFAULT 1,
    created_at       DATETIME(6)     NOT NULL,
    updated_at       DATETIME(6)     NOT NULL,
    archived_at      DATETIME(6)     NULL,
    listed           BOOLEAN         AS (published AND archived_at IS NULL) STORED,
    PRIMARY KEY (id),
    UNIQUE KEY uq_products_slug (slug),
    KEY ix_products_listed_newest (listed, created_at, id),
    KEY ix_products_listed_price (listed, price_minor, id),
    KEY ix_products_listed_title (listed, title, id),
    KEY ix_products_category_newest (category_id, listed, created_at, id),
    KEY ix_products_category_price (category_id, listed, price_minor, id),
    KEY ix_products_category_title (category_id, listed, title, id),
    FULLTEXT KEY ft_products (title, brand, tags),
    CONSTRAINT fk_products_category FOREIGN KEY (category_id) REFERENCES categories (id),
    CONSTRAINT ck_products_price CHECK (price_minor > 0 AND price_max_minor >= price_minor)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_unicode_520_ci;

CREATE TABLE images (
    id          BIGINT UNSIGNED NOT NULL AUTO_INCREMENT,
    product_id  BIGINT UNSIGNED NOT NULL,
    position    INT UNSIGNED    NOT NULL,
    path        VARCHAR(190)    CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    alt         VARCHAR(250)    NOT NULL DEFAULT '',
    width       INT UNSIGNED    NOT NULL,
    height      INT UNSIGNED    NOT NULL,
    PRIMARY KEY (id),
    KEY ix_images_product (product_id, position),
    CONSTRAINT fk_images_product FOREIGN KEY (product_id) REFERENCES products (id) ON DELETE CASCADE
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_unicode_520_ci;

-- What is sold and counted. A product without options has one variant, whose option values are empty.
CREATE TABLE variants (
    id                BIGINT UNSIGNED NOT NULL AUTO_INCREMENT,
    product_id        BIGINT UNSIGNED NOT NULL,
    position          INT UNSIGNED    NOT NULL,
    sku               VARCHAR(64)     CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NULL,
    option1           VARCHAR(120)    NOT NULL DEFAULT '',
    option2           VARCHAR(120)    NOT NULL DEFAULT '',
    option3           VARCHAR(120)    NOT NULL DEFAULT '',
    price_minor       BIGINT          NOT NULL,
    compare_at_minor  BIGINT          NULL,
    stock             INT             NOT NULL DEFAULT 0,
    tracked           BOOLEAN         NOT NULL DEFAULT TRUE,
    weight_g          INT UNSIGNED    NOT NULL DEFAULT 0,
    barcode           VARCHAR(32)     NOT NULL DEFAULT '',
    image_id          BIGINT UNSIGNED NULL,
    archived_at       DATETIME(6)     NULL,
    PRIMARY KEY (id),
    UNIQUE KEY uq_variants_sku (sku),
    KEY ix_variants_product (product_id, position),
    KEY ix_variants_image (image_id),
    CONSTRAINT fk_variants_product FOREIGN KEY (product_id) REFERENCES products (id),
    CONSTRAINT fk_variants_image FOREIGN KEY (image_id) REFERENCES images (id) ON DELETE SET NULL,
    CONSTRAINT ck_variants_price CHECK (price_minor > 0),
    CONSTRAINT ck_variants_compare_at CHECK (compare_at_minor IS NULL OR compare_at_minor > 0),
    CONSTRAINT ck_variants_stock CHECK (stock >= 0)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_unicode_520_ci;

CREATE TABLE carts (
    id          BIGINT UNSIGNED NOT NULL AUTO_INCREMENT,
    user_id     BIGINT UNSIGNED NULL,
    token_hash  CHAR(64)        CHARACTER SET ascii COLLATE ascii_bin NULL,
    version     INT UNSIGNED    NOT NULL DEFAULT 1,
    updated_at  DATETIME(6)     NOT NULL,
    PRIMARY KEY (id),
    UNIQUE KEY uq_carts_user (user_id),
    UNIQUE KEY uq_carts_token (token_hash),
    KEY ix_carts_updated (updated_at),
    CONSTRAINT fk_carts_user FOREIGN KEY (user_id) REFERENCES users (id) ON DELETE CASCADE,
    CONSTRAINT ck_carts_owner CHECK (user_id IS NOT NULL OR token_hash IS NOT NULL)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_unicode_520_ci;

-- seen_price_minor is the price that the shopper saw last: another one now is told before checkout.
CREATE TABLE cart_items (
    id                BIGINT UNSIGNED NOT NULL AUTO_INCREMENT,
    cart_id           BIGINT UNSIGNED NOT NULL,
    variant_id        BIGINT UNSIGNED NOT NULL,
    quantity          INT UNSIGNED    NOT NULL,
    seen_price_minor  BIGINT          NOT NULL,
    PRIMARY KEY (id),
    UNIQUE KEY uq_cart_items_variant (cart_id, variant_id),
    KEY ix_cart_items_variant (variant_id),
    CONSTRAINT fk_cart_items_cart FOREIGN KEY (cart_id) REFERENCES carts (id) ON DELETE CASCADE,
    CONSTRAINT fk_cart_items_variant FOREIGN KEY (variant_id) REFERENCES variants (id),
    CONSTRAINT ck_cart_items_quantity CHECK (quantity BETWEEN 1 AND 99)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_unicode_520_ci;

-- An order keeps copies of all that must be readable later: amounts and their arithmetic, address, and in its items what was sold.
CREATE TABLE orders (
    id                  BIGINT UNSIGNED NOT NULL AUTO_INCREMENT,
    number              CHAR(11)        CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    user_id             BIGINT UNSIGNED NULL,
    email               VARCHAR(254)    NOT NULL,
    status              VARCHAR(16)     CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    payment_status      VARCHAR(16)     CHARACTER SET ascii COLLATE ascii_bin NOT NULL DEFAULT 'unpaid',
    fulfilment_status   VARCHAR(16)     CHARACTER SET ascii COLLATE ascii_bin NOT NULL DEFAULT 'unfulfilled',
    payment_method      VARCHAR(32)     CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    shipping_method     VARCHAR(32)     CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    shipping_name       VARCHAR(80)     NOT NULL,
    currency            CHAR(3)         CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    tax_included        BOOLEAN         NOT NULL,
    subtotal_minor      BIGINT          NOT NULL,
    discount_minor      BIGINT          NOT NULL,
    shipping_minor      BIGINT          NOT NULL,
    tax_minor           BIGINT          NOT NULL,
    total_minor         BIGINT          NOT NULL,
    gift_card_minor     BIGINT          NOT NULL,
    due_minor           BIGINT          NOT NULL,
    explanation         TEXT            NOT NULL,
    name                VARCHAR(120)    NOT NULL,
    line1               VARCHAR(160)    NOT NULL,
    line2               VARCHAR(160)    NOT NULL,
    city                VARCHAR(120)    NOT NULL,
    region              VARCHAR(120)    NOT NULL,
    postcode            VARCHAR(20)     NOT NULL,
    country             CHAR(2)         CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    phone               VARCHAR(32)     NOT NULL,
    note                VARCHAR(1000)   NOT NULL,
    placed_at           DATETIME(6)     NOT NULL,
    pay_by              DATETIME(6)     NULL,
    PRIMARY KEY (id),
    UNIQUE KEY uq_orders_number (number),
    KEY ix_orders_user (user_id, id),
    KEY ix_orders_status (status, pay_by),
    KEY ix_orders_placed (placed_at, id),
    CONSTRAINT fk_orders_user FOREIGN KEY (user_id) REFERENCES users (id) ON DELETE SET NULL,
    CONSTRAINT ck_orders_status CHECK (status IN ('pending', 'placed', 'completed', 'cancelled', 'expired')),
    CONSTRAINT ck_orders_payment CHECK (payment_status IN ('unpaid', 'paid', 'partly_refunded', 'refunded')),
    CONSTRAINT ck_orders_fulfilment CHECK (fulfilment_status IN ('unfulfilled', 'partly_shipped', 'shipped', 'delivered')),
    CONSTRAINT ck_orders_amounts CHECK (subtotal_minor >= 0 AND discount_minor >= 0 AND shipping_minor >= 0 AND tax_minor >= 0
                                        AND gift_card_minor >= 0 AND due_minor = total_minor - gift_card_minor AND due_minor >= 0)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_unicode_520_ci;

CREATE TABLE order_items (
    id           BIGINT UNSIGNED NOT NULL AUTO_INCREMENT,
    order_id     BIGINT UNSIGNED NOT NULL,
    position     INT UNSIGNED    NOT NULL,
    variant_id   BIGINT UNSIGNED NULL,
    product_id   BIGINT UNSIGNED NULL,
    title        VARCHAR(190)    NOT NULL,
    options      VARCHAR(400)    NOT NULL,
    sku          VARCHAR(64)     NOT NULL,
    image_path   VARCHAR(190)    CHARACTER SET ascii COLLATE ascii_bin NULL,
    quantity     INT UNSIGNED    NOT NULL,
    price_minor  BIGINT          NOT NULL,
    line_minor   BIGINT          NOT NULL,
    tax_rate_bp  INT UNSIGNED    NOT NULL,
    tax_minor    BIGINT          NOT NULL,
    PRIMARY KEY (id),
    UNIQUE KEY uq_order_items_position (order_id, position),
    KEY ix_order_items_variant (variant_id),
    KEY ix_order_items_product (product_id),
    CONSTRAINT fk_order_items_order FOREIGN KEY (order_id) REFERENCES orders (id),
    CONSTRAINT fk_order_items_variant FOREIGN KEY (variant_id) REFERENCES variants (id) ON DELETE SET NULL,
    CONSTRAINT fk_order_items_product FOREIGN KEY (product_id) REFERENCES products (id) ON DELETE SET NULL,
    CONSTRAINT ck_order_items_line CHECK (quantity > 0 AND price_minor >= 0 AND line_minor = quantity * price_minor)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_unicode_520_ci;

-- Each step of an order with its time and actor (NULL: the shop itself, or a guest).
CREATE TABLE order_events (
    id        BIGINT UNSIGNED NOT NULL AUTO_INCREMENT,
    order_id  BIGINT UNSIGNED NOT NULL,
    kind      VARCHAR(32)     CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    actor_id  BIGINT UNSIGNED NULL,
    at        DATETIME(6)     NOT NULL,
    PRIMARY KEY (id),
    KEY ix_order_events_order (order_id, id),
    KEY ix_order_events_actor (actor_id),
    CONSTRAINT fk_order_events_order FOREIGN KEY (order_id) REFERENCES orders (id),
    CONSTRAINT fk_order_events_actor FOREIGN KEY (actor_id) REFERENCES users (id) ON DELETE SET NULL
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_unicode_520_ci;

-- The ledger of stock: a variant's stock is the sum of its changes.
CREATE TABLE stock_movements (
    id          BIGINT UNSIGNED NOT NULL AUTO_INCREMENT,
    variant_id  BIGINT UNSIGNED NOT NULL,
    quantity    INT             NOT NULL,
    reason      VARCHAR(16)     CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    order_id    BIGINT UNSIGNED NULL,
    actor_id    BIGINT UNSIGNED NULL,
    at          DATETIME(6)     NOT NULL,
    PRIMARY KEY (id),
    KEY ix_stock_movements_variant (variant_id, id),
    KEY ix_stock_movements_order (order_id),
    KEY ix_stock_movements_actor (actor_id),
    CONSTRAINT fk_stock_movements_variant FOREIGN KEY (variant_id) REFERENCES variants (id),
    CONSTRAINT fk_stock_movements_order FOREIGN KEY (order_id) REFERENCES orders (id),
    CONSTRAINT fk_stock_movements_actor FOREIGN KEY (actor_id) REFERENCES users (id) ON DELETE SET NULL,
    CONSTRAINT ck_stock_movements_reason CHECK (reason IN ('initial', 'order', 'cancelled', 'expired', 'adjusted', 'import'))
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_unicode_520_ci;

-- scope is the buyer (u:<user id> or g:<hash of the guest's cart token>), body_hash tells a repeated request from another one.
CREATE TABLE idempotency_keys (
    scope       VARCHAR(80)     CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    request_key VARCHAR(255)    CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
    body_hash   CHAR(64)        CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    order_id    BIGINT UNSIGNED NULL,
    created_at  DATETIME(6)     NOT NULL,
    PRIMARY KEY (scope, request_key),
    KEY ix_idempotency_keys_order (order_id),
    KEY ix_idempotency_keys_created (created_at),
    CONSTRAINT fk_idempotency_keys_order FOREIGN KEY (order_id) REFERENCES orders (id)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_unicode_520_ci;

-- The outbox. data is what the template needs; it may hold a code and is emptied when the mail is sent.
CREATE TABLE mails (
    id            BIGINT UNSIGNED   NOT NULL AUTO_INCREMENT,
    message_id    VARCHAR(120)      CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    template      VARCHAR(60)       CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    recipient     VARCHAR(254)      NOT NULL,
    data          TEXT              NOT NULL,
    order_id      BIGINT UNSIGNED   NULL,
    status        VARCHAR(16)       CHARACTER SET ascii COLLATE ascii_bin NOT NULL DEFAULT 'queued',
    attempts      SMALLINT UNSIGNED NOT NULL DEFAULT 0,
    last_error    VARCHAR(500)      NOT NULL DEFAULT '',
    created_at    DATETIME(6)       NOT NULL,
    due_at        DATETIME(6)       NOT NULL,
    leased_until  DATETIME(6)       NULL,
    sent_at       DATETIME(6)       NULL,
    PRIMARY KEY (id),
    UNIQUE KEY uq_mails_message (message_id),
    KEY ix_mails_due (status, due_at),
    KEY ix_mails_order (order_id),
    CONSTRAINT fk_mails_order FOREIGN KEY (order_id) REFERENCES orders (id),
    CONSTRAINT ck_mails_status CHECK (status IN ('queued', 'sent', 'failed'))
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_unicode_520_ci;

-- What runs when. A runner takes a job by moving its lease; a job whose runner died is taken again when the lease ends.
CREATE TABLE jobs (
    name          VARCHAR(60)       CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    due_at        DATETIME(6)       NOT NULL,
    leased_by     VARCHAR(80)       CHARACTER SET ascii COLLATE ascii_bin NULL,
    leased_until  DATETIME(6)       NULL,
    started_at    DATETIME(6)       NULL,
    finished_at   DATETIME(6)       NULL,
    failures      SMALLINT UNSIGNED NOT NULL DEFAULT 0,
    last_result   VARCHAR(500)      NOT NULL DEFAULT '',
    PRIMARY KEY (name)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_unicode_520_ci;

-- The versions this file stands for, so that a schema loaded by hand is known as such.
INSERT INTO schema_migrations (version, checksum, applied_at) VALUES
    ('0001_baseline', '422abb6cafc805e73573b8249f36b0ba60d82e911bc827afe72e50dbb061aa61', UTC_TIMESTAMP(6));
