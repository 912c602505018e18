-- FlaskCart, the whole schema for a fresh install; parents first.
-- MariaDB >= 10.6 and MySQL >= 8.0. Money is integers in the currency's smallest unit (…_minor), time is UTC by the database's clock.
-- People's text is utf8mb4_unicode_520_ci; keys, tokens, hashes, slugs, SKUs, numbers and normalised e-mails compare byte by byte.
--
-- The comment of every column begins with what becomes of it when somebody asks for their data or wants to be forgotten:
--   keep    the shop's own working, nobody's personal data; stays, and is in no export
--   export  tells of a person: in the export; stays where the row stays, because the shop's books need it
--   erase   identifies a person: in the export, unless the next word is "untold" (secrets, and mere derivatives); gone once it is erased
-- services/privacy.py does it, and its tests hold every table to these words.

CREATE TABLE schema_migrations (
    version     VARCHAR(80)  CHARACTER SET ascii COLLATE ascii_bin NOT NULL COMMENT 'keep',
    checksum    CHAR(64)     CHARACTER SET ascii COLLATE ascii_bin NOT NULL COMMENT 'keep',
    applied_at  DATETIME(6)  NOT NULL COMMENT 'keep',
    PRIMARY KEY (version)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_unicode_520_ci;

-- A lease is held by whoever could write the row; it ends by itself, so a killed holder blocks nobody for long.
CREATE TABLE leases (
    name    VARCHAR(60)  CHARACTER SET ascii COLLATE ascii_bin NOT NULL COMMENT 'keep, hashed where it comes from an address, and gone within minutes',
    holder  VARCHAR(80)  CHARACTER SET ascii COLLATE ascii_bin NOT NULL COMMENT 'keep',
    ends_at DATETIME(6)  NOT NULL COMMENT 'keep',
    PRIMARY KEY (name)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_unicode_520_ci;

-- The owner's choices. Values are JSON; services/settings.py knows their types and first values.
CREATE TABLE settings (
    name        VARCHAR(60)  CHARACTER SET ascii COLLATE ascii_bin NOT NULL COMMENT 'keep',
    value       TEXT         NOT NULL COMMENT 'keep',
    updated_at  DATETIME(6)  NOT NULL COMMENT 'keep',
    PRIMARY KEY (name)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_unicode_520_ci;

CREATE TABLE users (
    id             BIGINT UNSIGNED NOT NULL AUTO_INCREMENT COMMENT 'export',
    username       VARCHAR(32)     NOT NULL COMMENT 'erase',
    username_key   VARCHAR(32)     CHARACTER SET ascii COLLATE ascii_bin NOT NULL COMMENT 'erase untold',
    email          VARCHAR(254)    NOT NULL COMMENT 'erase',
    email_key      VARCHAR(254)    CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL COMMENT 'erase untold',
    password_hash  VARCHAR(255)    CHARACTER SET ascii COLLATE ascii_bin NOT NULL COMMENT 'erase untold',
    first_name     VARCHAR(80)     NOT NULL DEFAULT '' COMMENT 'erase',
    last_name      VARCHAR(80)     NOT NULL DEFAULT '' COMMENT 'erase',
    phone          VARCHAR(32)     NOT NULL DEFAULT '' COMMENT 'erase',
    avatar_path    VARCHAR(190)    CHARACTER SET ascii COLLATE ascii_bin NULL COMMENT 'erase',
    newsletter     BOOLEAN         NOT NULL DEFAULT FALSE COMMENT 'export',
    cart_reminders BOOLEAN         NOT NULL DEFAULT FALSE COMMENT 'export',
    role           VARCHAR(16)     CHARACTER SET ascii COLLATE ascii_bin NOT NULL DEFAULT 'customer' COMMENT 'export',
    status         VARCHAR(16)     CHARACTER SET ascii COLLATE ascii_bin NOT NULL DEFAULT 'active' COMMENT 'export',
    blocked_until  DATETIME(6)     NULL COMMENT 'export',
    block_reason   VARCHAR(500)    NOT NULL DEFAULT '' COMMENT 'export',
    signed_in_at   DATETIME(6)     NULL COMMENT 'export',
    created_at     DATETIME(6)     NOT NULL COMMENT 'export',
    updated_at     DATETIME(6)     NOT NULL COMMENT 'keep',
    PRIMARY KEY (id),
    UNIQUE KEY uq_users_username (username_key),
    UNIQUE KEY uq_users_email (email_key),
    KEY ix_users_role (role, id),
    KEY ix_users_status (status, id),
    KEY ix_users_blocked (blocked_until, id),
    KEY ix_users_created (created_at, id),
    CONSTRAINT ck_users_role CHECK (role IN ('customer', 'staff', 'admin')),
    CONSTRAINT ck_users_status CHECK (status IN ('active', 'deactivated'))
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_unicode_520_ci;

-- What the people who run the shop note about a customer; the customer's own data, and told in their export.
CREATE TABLE user_notes (
    id          BIGINT UNSIGNED NOT NULL AUTO_INCREMENT COMMENT 'keep',
    user_id     BIGINT UNSIGNED NOT NULL COMMENT 'keep',
    author_id   BIGINT UNSIGNED NULL COMMENT 'keep',
    body        VARCHAR(2000)   NOT NULL COMMENT 'erase',
    created_at  DATETIME(6)     NOT NULL COMMENT 'export',
    PRIMARY KEY (id),
    KEY ix_user_notes_user (user_id, id),
    KEY ix_user_notes_author (author_id),
    CONSTRAINT fk_user_notes_user FOREIGN KEY (user_id) REFERENCES users (id) ON DELETE CASCADE,
    CONSTRAINT fk_user_notes_author FOREIGN KEY (author_id) REFERENCES users (id) ON DELETE SET NULL
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_unicode_520_ci;

-- The default is the address that was chosen as such last, or else the oldest: a rule of reading, so there is exactly one whatever happens at once.
CREATE TABLE addresses (
    id            BIGINT UNSIGNED NOT NULL AUTO_INCREMENT COMMENT 'export',
    user_id       BIGINT UNSIGNED NOT NULL COMMENT 'keep',
    label         VARCHAR(40)     NOT NULL DEFAULT '' COMMENT 'erase',
    name          VARCHAR(120)    NOT NULL COMMENT 'erase',
    line1         VARCHAR(160)    NOT NULL COMMENT 'erase',
    line2         VARCHAR(160)    NOT NULL COMMENT 'erase',
    city          VARCHAR(120)    NOT NULL COMMENT 'erase',
    region        VARCHAR(120)    NOT NULL COMMENT 'erase',
    postcode      VARCHAR(20)     NOT NULL COMMENT 'erase',
    country       CHAR(2)         CHARACTER SET ascii COLLATE ascii_bin NOT NULL COMMENT 'export',
    phone         VARCHAR(32)     NOT NULL COMMENT 'erase',
    preferred_at  DATETIME(6)     NULL COMMENT 'keep',
    created_at    DATETIME(6)     NOT NULL COMMENT 'keep',
    PRIMARY KEY (id),
    KEY ix_addresses_user (user_id, preferred_at),
    CONSTRAINT fk_addresses_user FOREIGN KEY (user_id) REFERENCES users (id) ON DELETE CASCADE
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_unicode_520_ci;

-- The session is the device: whoever holds the cookie whose hash stands here is signed in as user_id, or is a guest. A row of kind
-- token belongs to a script instead, and its hash is that of the name (jti) in the access token.
CREATE TABLE sessions (
    id             BIGINT UNSIGNED NOT NULL AUTO_INCREMENT COMMENT 'keep',
    kind           VARCHAR(8)      CHARACTER SET ascii COLLATE ascii_bin NOT NULL DEFAULT 'browser' COMMENT 'keep',
    token_hash     CHAR(64)        CHARACTER SET ascii COLLATE ascii_bin NOT NULL COMMENT 'erase untold',
    user_id        BIGINT UNSIGNED NULL COMMENT 'keep',
    data           TEXT            NOT NULL COMMENT 'erase untold',
    ip             VARCHAR(45)     CHARACTER SET ascii COLLATE ascii_bin NOT NULL COMMENT 'erase',
    user_agent     VARCHAR(255)    NOT NULL COMMENT 'erase',
    browser        VARCHAR(16)     CHARACTER SET ascii COLLATE ascii_bin NOT NULL DEFAULT 'other' COMMENT 'keep, of a handful that everybody shares',
    os             VARCHAR(16)     CHARACTER SET ascii COLLATE ascii_bin NOT NULL DEFAULT 'other' COMMENT 'keep, of a handful that everybody shares',
    created_at     DATETIME(6)     NOT NULL COMMENT 'export',
    seen_at        DATETIME(6)     NOT NULL COMMENT 'export',
    expires_at     DATETIME(6)     NOT NULL COMMENT 'export',
    stepped_up_at  DATETIME(6)     NULL COMMENT 'keep',
    PRIMARY KEY (id),
    UNIQUE KEY uq_sessions_token (token_hash),
    KEY ix_sessions_user (user_id, kind, created_at),
    KEY ix_sessions_expires (expires_at),
    CONSTRAINT fk_sessions_user FOREIGN KEY (user_id) REFERENCES users (id) ON DELETE CASCADE,
    CONSTRAINT ck_sessions_kind CHECK (kind IN ('browser', 'token'))
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_unicode_520_ci;

-- Browsers (by a cookie that outlives the session) and, for scripts, networks from which an account was signed in to before:
-- no mail tells of them again, and nobody else's wrong passwords keep them out.
CREATE TABLE known_devices (
    user_id      BIGINT UNSIGNED NOT NULL COMMENT 'keep',
    device_hash  CHAR(64)        CHARACTER SET ascii COLLATE ascii_bin NOT NULL COMMENT 'erase untold',
    seen_at      DATETIME(6)     NOT NULL COMMENT 'keep',
    PRIMARY KEY (user_id, device_hash),
    KEY ix_known_devices_seen (seen_at),
    CONSTRAINT fk_known_devices_user FOREIGN KEY (user_id) REFERENCES users (id) ON DELETE CASCADE
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_unicode_520_ci;

-- The second factor of an account. The secret is not here: it is derived from the shop's key and the salt. last_step is the
-- 30-second step of the last code that was used, so that each is used once.
CREATE TABLE totps (
    user_id       BIGINT UNSIGNED NOT NULL COMMENT 'keep',
    salt          CHAR(32)        CHARACTER SET ascii COLLATE ascii_bin NOT NULL COMMENT 'erase untold',
    last_step     BIGINT UNSIGNED NOT NULL DEFAULT 0 COMMENT 'keep',
    created_at    DATETIME(6)     NOT NULL COMMENT 'keep',
    confirmed_at  DATETIME(6)     NULL COMMENT 'keep',
    PRIMARY KEY (user_id),
    CONSTRAINT fk_totps_user FOREIGN KEY (user_id) REFERENCES users (id) ON DELETE CASCADE
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_unicode_520_ci;

CREATE TABLE recovery_codes (
    id         BIGINT UNSIGNED NOT NULL AUTO_INCREMENT COMMENT 'keep',
    user_id    BIGINT UNSIGNED NOT NULL COMMENT 'keep',
    code_hash  CHAR(64)        CHARACTER SET ascii COLLATE ascii_bin NOT NULL COMMENT 'erase untold',
    used_at    DATETIME(6)     NULL COMMENT 'keep',
    PRIMARY KEY (id),
    UNIQUE KEY uq_recovery_codes_hash (user_id, code_hash),
    CONSTRAINT fk_recovery_codes_user FOREIGN KEY (user_id) REFERENCES users (id) ON DELETE CASCADE
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_unicode_520_ci;

-- Something a person must prove with a code from a mail. A pending registration lives here and nowhere else.
CREATE TABLE challenges (
    id             BIGINT UNSIGNED  NOT NULL AUTO_INCREMENT COMMENT 'keep',
    token_hash     CHAR(64)         CHARACTER SET ascii COLLATE ascii_bin NOT NULL COMMENT 'erase untold',
    purpose        VARCHAR(16)      CHARACTER SET ascii COLLATE ascii_bin NOT NULL COMMENT 'export',
    email          VARCHAR(254)     NOT NULL COMMENT 'erase',
    email_key      VARCHAR(254)     CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL COMMENT 'erase untold',
    user_id        BIGINT UNSIGNED  NULL COMMENT 'keep',
    username       VARCHAR(32)      NOT NULL DEFAULT '' COMMENT 'erase untold',
    password_hash  VARCHAR(255)     CHARACTER SET ascii COLLATE ascii_bin NOT NULL DEFAULT '' COMMENT 'erase untold',
    tries          TINYINT UNSIGNED NOT NULL DEFAULT 0 COMMENT 'keep',
    created_at     DATETIME(6)      NOT NULL COMMENT 'export',
    expires_at     DATETIME(6)      NOT NULL COMMENT 'export',
    PRIMARY KEY (id),
    UNIQUE KEY uq_challenges_token (token_hash),
    KEY ix_challenges_email (email_key, purpose, created_at),
    KEY ix_challenges_user (user_id),
    KEY ix_challenges_expires (expires_at),
    CONSTRAINT fk_challenges_user FOREIGN KEY (user_id) REFERENCES users (id) ON DELETE CASCADE,
    CONSTRAINT ck_challenges_purpose CHECK (purpose IN ('register', 'reset', 'email')),
    CONSTRAINT ck_challenges_tries CHECK (tries <= 5)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_unicode_520_ci;

-- A resend adds a code and leaves the former one good; the hash is keyed and bound to purpose and challenge.
CREATE TABLE codes (
    id            BIGINT UNSIGNED NOT NULL AUTO_INCREMENT COMMENT 'keep',
    challenge_id  BIGINT UNSIGNED NOT NULL COMMENT 'keep',
    code_hash     CHAR(64)        CHARACTER SET ascii COLLATE ascii_bin NOT NULL COMMENT 'erase untold',
    created_at    DATETIME(6)     NOT NULL COMMENT 'keep',
    expires_at    DATETIME(6)     NOT NULL COMMENT 'keep',
    used_at       DATETIME(6)     NULL COMMENT 'keep',
    PRIMARY KEY (id),
    KEY ix_codes_challenge (challenge_id, code_hash),
    CONSTRAINT fk_codes_challenge FOREIGN KEY (challenge_id) REFERENCES challenges (id) ON DELETE CASCADE
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_unicode_520_ci;

-- One row for each allowance in use: when it will be unused again (the "theoretical arrival time" of the leaky-bucket algorithm GCRA).
CREATE TABLE allowances (
    name     CHAR(64)     CHARACTER SET ascii COLLATE ascii_bin NOT NULL COMMENT 'keep, a hash that goes by itself',
    free_at  DATETIME(6)  NOT NULL COMMENT 'keep',
    PRIMARY KEY (name),
    KEY ix_allowances_free (free_at)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_unicode_520_ci;

CREATE TABLE categories (
    id           BIGINT UNSIGNED NOT NULL AUTO_INCREMENT COMMENT 'keep',
    parent_id    BIGINT UNSIGNED NULL COMMENT 'keep',
    slug         VARCHAR(120)    CHARACTER SET ascii COLLATE ascii_bin NOT NULL COMMENT 'keep',
    name         VARCHAR(120)    NOT NULL COMMENT 'keep',
    description  VARCHAR(1000)   NOT NULL DEFAULT '' COMMENT 'keep',
    image_path   VARCHAR(190)    CHARACTER SET ascii COLLATE ascii_bin NULL COMMENT 'keep',
    image_alt    VARCHAR(250)    NOT NULL DEFAULT '' COMMENT 'keep',
    image_width  INT UNSIGNED    NOT NULL DEFAULT 800 COMMENT 'keep',
    image_height INT UNSIGNED    NOT NULL DEFAULT 800 COMMENT 'keep',
    image_widths VARCHAR(40)     CHARACTER SET ascii COLLATE ascii_bin NOT NULL DEFAULT '' COMMENT 'keep',
    position     INT UNSIGNED    NOT NULL DEFAULT 0 COMMENT 'keep',
    demo         BOOLEAN         NOT NULL DEFAULT FALSE COMMENT 'keep',
    version      INT UNSIGNED    NOT NULL DEFAULT 1 COMMENT 'keep',
    PRIMARY KEY (id),
    UNIQUE KEY uq_categories_slug (slug),
    KEY ix_categories_parent (parent_id),
    CONSTRAINT fk_categories_parent FOREIGN KEY (parent_id) REFERENCES categories (id)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_unicode_520_ci;

-- price_minor and price_max_minor repeat the cheapest and the dearest variant, so that a list sorts and filters by an index;
-- catalogue.refresh_prices writes them in the same transaction as any variant's price. rating_sum and rating_count repeat the approved
-- reviews, sold_count the pieces of late orders. description is sanitised HTML; markdown is what it was written as, if it was.
CREATE TABLE products (
    id               BIGINT UNSIGNED NOT NULL AUTO_INCREMENT COMMENT 'keep',
    slug             VARCHAR(190)    CHARACTER SET ascii COLLATE ascii_bin NOT NULL COMMENT 'keep',
    title            VARCHAR(190)    NOT NULL COMMENT 'keep',
    description      MEDIUMTEXT      NOT NULL COMMENT 'keep',
    markdown         MEDIUMTEXT      NULL COMMENT 'keep',
    category_id      BIGINT UNSIGNED NULL COMMENT 'keep',
    brand            VARCHAR(120)    NOT NULL DEFAULT '' COMMENT 'keep',
    type             VARCHAR(120)    NOT NULL DEFAULT '' COMMENT 'keep',
    tags             VARCHAR(500)    NOT NULL DEFAULT '' COMMENT 'keep',
    tax_class        VARCHAR(16)     CHARACTER SET ascii COLLATE ascii_bin NOT NULL DEFAULT 'standard' COMMENT 'keep',
    gift_card        BOOLEAN         NOT NULL DEFAULT FALSE COMMENT 'keep',
    option1          VARCHAR(60)     NOT NULL DEFAULT '' COMMENT 'keep',
    option2          VARCHAR(60)     NOT NULL DEFAULT '' COMMENT 'keep',
    option3          VARCHAR(60)     NOT NULL DEFAULT '' COMMENT 'keep',
    price_minor      BIGINT          NOT NULL COMMENT 'keep',
    price_max_minor  BIGINT          NOT NULL COMMENT 'keep',
    rating_sum       INT UNSIGNED    NOT NULL DEFAULT 0 COMMENT 'keep',
    rating_count     INT UNSIGNED    NOT NULL DEFAULT 0 COMMENT 'keep',
    sold_count       INT UNSIGNED    NOT NULL DEFAULT 0 COMMENT 'keep',
    seo_title        VARCHAR(190)    NOT NULL DEFAULT '' COMMENT 'keep',
    seo_description  VARCHAR(500)    NOT NULL DEFAULT '' COMMENT 'keep',
    published        BOOLEAN         NOT NULL DEFAULT TRUE COMMENT 'keep',
    demo             BOOLEAN         NOT NULL DEFAULT FALSE COMMENT 'keep',
    version          INT UNSIGNED    NOT NULL DEFAULT 1 COMMENT 'keep',
    created_at       DATETIME(6)     NOT NULL COMMENT 'keep',
    updated_at       DATETIME(6)     NOT NULL COMMENT 'keep',
    archived_at      DATETIME(6)     NULL COMMENT 'keep',
    listed           BOOLEAN         AS (published AND archived_at IS NULL) STORED COMMENT 'keep',
    PRIMARY KEY (id),
    UNIQUE KEY uq_products_slug (slug),
    KEY ix_products_listed_newest (listed, created_at, id),
    KEY ix_products_listed_price (listed, price_minor, id),
    KEY ix_products_listed_title (listed, title, id),
    KEY ix_products_category_newest (category_id, listed, created_at, id),
    KEY ix_products_category_price (category_id, listed, price_minor, id),
    KEY ix_products_category_title (category_id, listed, title, id),
    KEY ix_products_gift_card (gift_card, listed, id),
    KEY ix_products_archived_updated (archived_at, updated_at, id),
    KEY ix_products_archived_title (archived_at, title, id),
    KEY ix_products_archived_price (archived_at, price_minor, id),
    KEY ix_products_archived_sold (archived_at, sold_count, id),
    CONSTRAINT fk_products_category FOREIGN KEY (category_id) REFERENCES categories (id),
    CONSTRAINT ck_products_price CHECK (price_minor >= 0 AND price_max_minor >= price_minor)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_unicode_520_ci;

-- Addresses that products once had lead to where they are now.
CREATE TABLE product_slugs (
    slug        VARCHAR(190)    CHARACTER SET ascii COLLATE ascii_bin NOT NULL COMMENT 'keep',
    product_id  BIGINT UNSIGNED NOT NULL COMMENT 'keep',
    created_at  DATETIME(6)     NOT NULL COMMENT 'keep',
    PRIMARY KEY (slug),
    KEY ix_product_slugs_product (product_id),
    CONSTRAINT fk_product_slugs_product FOREIGN KEY (product_id) REFERENCES products (id) ON DELETE CASCADE
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_unicode_520_ci;

-- What search must read anew. A row is only ever added, in the transaction that changed the product, so that no buyer waits for the
-- product's row; old ones are dropped. It names a product without referring to it, since that would lock the product's row too.
CREATE TABLE product_changes (
    id          BIGINT UNSIGNED NOT NULL AUTO_INCREMENT COMMENT 'keep',
    product_id  BIGINT UNSIGNED NOT NULL COMMENT 'keep',
    changed_at  DATETIME(6)     NOT NULL COMMENT 'keep',
    PRIMARY KEY (id),
    KEY ix_product_changes_changed (changed_at, id)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_unicode_520_ci;

-- A drawn picture (SVG) has no widths; a photograph has a file of each of its widths beside the one at path.
CREATE TABLE images (
    id          BIGINT UNSIGNED NOT NULL AUTO_INCREMENT COMMENT 'keep',
    product_id  BIGINT UNSIGNED NOT NULL COMMENT 'keep',
    position    INT UNSIGNED    NOT NULL COMMENT 'keep',
    path        VARCHAR(190)    CHARACTER SET ascii COLLATE ascii_bin NOT NULL COMMENT 'keep',
    alt         VARCHAR(250)    NOT NULL DEFAULT '' COMMENT 'keep',
    width       INT UNSIGNED    NOT NULL COMMENT 'keep',
    height      INT UNSIGNED    NOT NULL COMMENT 'keep',
    widths      VARCHAR(40)     CHARACTER SET ascii COLLATE ascii_bin NOT NULL DEFAULT '' COMMENT 'keep',
    PRIMARY KEY (id),
    KEY ix_images_product (product_id, position),
    CONSTRAINT fk_images_product FOREIGN KEY (product_id) REFERENCES products (id) ON DELETE CASCADE
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_unicode_520_ci;

-- What is sold and counted. A product without options has one variant, whose option values are empty.
CREATE TABLE variants (
    id                BIGINT UNSIGNED NOT NULL AUTO_INCREMENT COMMENT 'keep',
    product_id        BIGINT UNSIGNED NOT NULL COMMENT 'keep',
    position          INT UNSIGNED    NOT NULL COMMENT 'keep',
    sku               VARCHAR(64)     CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NULL COMMENT 'keep',
    option1           VARCHAR(120)    NOT NULL DEFAULT '' COMMENT 'keep',
    option2           VARCHAR(120)    NOT NULL DEFAULT '' COMMENT 'keep',
    option3           VARCHAR(120)    NOT NULL DEFAULT '' COMMENT 'keep',
    price_minor       BIGINT          NOT NULL COMMENT 'keep',
    compare_at_minor  BIGINT          NULL COMMENT 'keep',
    stock             INT             NOT NULL DEFAULT 0 COMMENT 'keep',
    tracked           BOOLEAN         NOT NULL DEFAULT TRUE COMMENT 'keep',
    weight_g          INT UNSIGNED    NOT NULL DEFAULT 0 COMMENT 'keep',
    barcode           VARCHAR(32)     NOT NULL DEFAULT '' COMMENT 'keep',
    image_id          BIGINT UNSIGNED NULL COMMENT 'keep',
    archived_at       DATETIME(6)     NULL COMMENT 'keep',
    PRIMARY KEY (id),
    UNIQUE KEY uq_variants_sku (sku),
    KEY ix_variants_product (product_id, position),
    KEY ix_variants_image (image_id),
    KEY ix_variants_stock (tracked, archived_at, stock, id),
    CONSTRAINT fk_variants_product FOREIGN KEY (product_id) REFERENCES products (id),
    CONSTRAINT fk_variants_image FOREIGN KEY (image_id) REFERENCES images (id) ON DELETE SET NULL,
    CONSTRAINT ck_variants_price CHECK (price_minor >= 0),
    CONSTRAINT ck_variants_compare_at CHECK (compare_at_minor IS NULL OR compare_at_minor > 0),
    CONSTRAINT ck_variants_stock CHECK (stock >= 0)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_unicode_520_ci;

CREATE TABLE carts (
    id          BIGINT UNSIGNED NOT NULL AUTO_INCREMENT COMMENT 'keep',
    user_id     BIGINT UNSIGNED NULL COMMENT 'keep',
    token_hash  CHAR(64)        CHARACTER SET ascii COLLATE ascii_bin NULL COMMENT 'keep, names a guest''s browser; a cart of an account has none',
    version     INT UNSIGNED    NOT NULL DEFAULT 1 COMMENT 'keep',
    updated_at  DATETIME(6)     NOT NULL COMMENT 'keep',
    reminded_at DATETIME(6)     NULL COMMENT 'keep',
    PRIMARY KEY (id),
    UNIQUE KEY uq_carts_user (user_id),
    UNIQUE KEY uq_carts_token (token_hash),
    KEY ix_carts_updated (updated_at),
    CONSTRAINT fk_carts_user FOREIGN KEY (user_id) REFERENCES users (id) ON DELETE CASCADE,
    CONSTRAINT ck_carts_owner CHECK (user_id IS NOT NULL OR token_hash IS NOT NULL)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_unicode_520_ci;

-- seen_price_minor is the price that the shopper saw last: another one now is told before checkout.
CREATE TABLE cart_items (
    id                BIGINT UNSIGNED NOT NULL AUTO_INCREMENT COMMENT 'keep',
    cart_id           BIGINT UNSIGNED NOT NULL COMMENT 'keep',
    variant_id        BIGINT UNSIGNED NOT NULL COMMENT 'export',
    quantity          INT UNSIGNED    NOT NULL COMMENT 'export',
    seen_price_minor  BIGINT          NOT NULL COMMENT 'keep',
    PRIMARY KEY (id),
    UNIQUE KEY uq_cart_items_variant (cart_id, variant_id),
    KEY ix_cart_items_variant (variant_id),
    CONSTRAINT fk_cart_items_cart FOREIGN KEY (cart_id) REFERENCES carts (id) ON DELETE CASCADE,
    CONSTRAINT fk_cart_items_variant FOREIGN KEY (variant_id) REFERENCES variants (id),
    CONSTRAINT ck_cart_items_quantity CHECK (quantity BETWEEN 1 AND 99)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_unicode_520_ci;

-- An order keeps copies of all that must be readable later: amounts and their arithmetic, address, and in its items what was sold.
CREATE TABLE orders (
    id                  BIGINT UNSIGNED NOT NULL AUTO_INCREMENT COMMENT 'keep',
    number              CHAR(11)        CHARACTER SET ascii COLLATE ascii_bin NOT NULL COMMENT 'export',
    user_id             BIGINT UNSIGNED NULL COMMENT 'keep',
    email               VARCHAR(254)    NOT NULL COMMENT 'erase',
    email_key           VARCHAR(254)    CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL DEFAULT '' COMMENT 'erase untold',
    by_guest            BOOLEAN         NOT NULL DEFAULT FALSE COMMENT 'keep: whether a link that was mailed opens it, even when an account has it by now',
    status              VARCHAR(16)     CHARACTER SET ascii COLLATE ascii_bin NOT NULL COMMENT 'export',
    payment_status      VARCHAR(16)     CHARACTER SET ascii COLLATE ascii_bin NOT NULL DEFAULT 'unpaid' COMMENT 'export',
    fulfilment_status   VARCHAR(16)     CHARACTER SET ascii COLLATE ascii_bin NOT NULL DEFAULT 'unfulfilled' COMMENT 'export',
    payment_method      VARCHAR(32)     CHARACTER SET ascii COLLATE ascii_bin NOT NULL COMMENT 'export',
    shipping_method     VARCHAR(32)     CHARACTER SET ascii COLLATE ascii_bin NOT NULL COMMENT 'export',
    shipping_name       VARCHAR(80)     NOT NULL COMMENT 'export',
    currency            CHAR(3)         CHARACTER SET ascii COLLATE ascii_bin NOT NULL COMMENT 'export',
    tax_included        BOOLEAN         NOT NULL COMMENT 'export',
    subtotal_minor      BIGINT          NOT NULL COMMENT 'export',
    discount_minor      BIGINT          NOT NULL COMMENT 'export',
    shipping_minor      BIGINT          NOT NULL COMMENT 'export',
    tax_minor           BIGINT          NOT NULL COMMENT 'export',
    total_minor         BIGINT          NOT NULL COMMENT 'export',
    gift_card_minor     BIGINT          NOT NULL COMMENT 'export',
    due_minor           BIGINT          NOT NULL COMMENT 'export',
    coupon              VARCHAR(40)     CHARACTER SET ascii COLLATE ascii_bin NOT NULL DEFAULT '' COMMENT 'export',
    explanation         TEXT            NOT NULL COMMENT 'export',
    name                VARCHAR(120)    NOT NULL COMMENT 'erase',
    line1               VARCHAR(160)    NOT NULL COMMENT 'erase',
    line2               VARCHAR(160)    NOT NULL COMMENT 'erase',
    city                VARCHAR(120)    NOT NULL COMMENT 'erase',
    region              VARCHAR(120)    NOT NULL COMMENT 'erase',
    postcode            VARCHAR(20)     NOT NULL COMMENT 'erase',
    country             CHAR(2)         CHARACTER SET ascii COLLATE ascii_bin NOT NULL COMMENT 'export, and stays: it decides whose tax it was',
    phone               VARCHAR(32)     NOT NULL COMMENT 'erase',
    note                VARCHAR(1000)   NOT NULL COMMENT 'erase',
    terms_version       INT UNSIGNED    NULL COMMENT 'export',
    placed_at           DATETIME(6)     NOT NULL COMMENT 'export',
    pay_by              DATETIME(6)     NULL COMMENT 'export',
    PRIMARY KEY (id),
    UNIQUE KEY uq_orders_number (number),
    KEY ix_orders_user (user_id, id),
    KEY ix_orders_email (email_key, user_id, id),
    KEY ix_orders_status (status, pay_by),
    KEY ix_orders_placed (placed_at, id),
    KEY ix_orders_state (status, placed_at, id, payment_status, fulfilment_status),
    KEY ix_orders_paid (payment_status, placed_at, id, status, fulfilment_status),
    KEY ix_orders_sent (fulfilment_status, placed_at, id, status, payment_status),
    KEY ix_orders_total (total_minor, id, status, payment_status, fulfilment_status),
    CONSTRAINT fk_orders_user FOREIGN KEY (user_id) REFERENCES users (id) ON DELETE SET NULL,
    CONSTRAINT ck_orders_status CHECK (status IN ('pending', 'placed', 'completed', 'cancelled', 'expired')),
    CONSTRAINT ck_orders_payment CHECK (payment_status IN ('unpaid', 'paid', 'partly_refunded', 'refunded')),
    CONSTRAINT ck_orders_fulfilment CHECK (fulfilment_status IN ('unfulfilled', 'partly_shipped', 'shipped', 'delivered')),
    CONSTRAINT ck_orders_amounts CHECK (subtotal_minor >= 0 AND discount_minor >= 0 AND shipping_minor >= 0 AND tax_minor >= 0
                                        AND gift_card_minor >= 0 AND due_minor = total_minor - gift_card_minor AND due_minor >= 0)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_unicode_520_ci;

CREATE TABLE order_items (
    id           BIGINT UNSIGNED NOT NULL AUTO_INCREMENT COMMENT 'keep',
    order_id     BIGINT UNSIGNED NOT NULL COMMENT 'keep',
    position     INT UNSIGNED    NOT NULL COMMENT 'keep',
    variant_id   BIGINT UNSIGNED NULL COMMENT 'keep',
    product_id   BIGINT UNSIGNED NULL COMMENT 'keep',
    title        VARCHAR(190)    NOT NULL COMMENT 'export',
    options      VARCHAR(400)    NOT NULL COMMENT 'export',
    sku          VARCHAR(64)     NOT NULL COMMENT 'export',
    image_path   VARCHAR(190)    CHARACTER SET ascii COLLATE ascii_bin NULL COMMENT 'keep',
    quantity     INT UNSIGNED    NOT NULL COMMENT 'export',
    price_minor  BIGINT          NOT NULL COMMENT 'export',
    line_minor   BIGINT          NOT NULL COMMENT 'export',
    discount_minor BIGINT        NOT NULL DEFAULT 0 COMMENT 'export',
    tax_rate_bp  INT UNSIGNED    NOT NULL COMMENT 'keep',
    tax_minor    BIGINT          NOT NULL COMMENT 'export',
    gift_card    BOOLEAN         NOT NULL DEFAULT FALSE COMMENT 'keep',
    PRIMARY KEY (id),
    UNIQUE KEY uq_order_items_position (order_id, position),
    KEY ix_order_items_variant (variant_id),
    KEY ix_order_items_product (product_id),
    CONSTRAINT fk_order_items_order FOREIGN KEY (order_id) REFERENCES orders (id),
    CONSTRAINT fk_order_items_variant FOREIGN KEY (variant_id) REFERENCES variants (id) ON DELETE SET NULL,
    CONSTRAINT fk_order_items_product FOREIGN KEY (product_id) REFERENCES products (id) ON DELETE SET NULL,
    CONSTRAINT ck_order_items_line CHECK (quantity > 0 AND price_minor >= 0 AND line_minor = quantity * price_minor
                                          AND discount_minor BETWEEN 0 AND line_minor)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_unicode_520_ci;

-- Each step of an order with its time and actor (NULL: the shop itself, or a guest).
CREATE TABLE order_events (
    id        BIGINT UNSIGNED NOT NULL AUTO_INCREMENT COMMENT 'keep',
    order_id  BIGINT UNSIGNED NOT NULL COMMENT 'keep',
    kind      VARCHAR(32)     CHARACTER SET ascii COLLATE ascii_bin NOT NULL COMMENT 'export',
    actor_id  BIGINT UNSIGNED NULL COMMENT 'keep',
    at        DATETIME(6)     NOT NULL COMMENT 'export',
    PRIMARY KEY (id),
    KEY ix_order_events_order (order_id, id),
    KEY ix_order_events_actor (actor_id),
    CONSTRAINT fk_order_events_order FOREIGN KEY (order_id) REFERENCES orders (id),
    CONSTRAINT fk_order_events_actor FOREIGN KEY (actor_id) REFERENCES users (id) ON DELETE SET NULL
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_unicode_520_ci;

-- The ledger of stock: a variant's stock is the sum of its changes.
CREATE TABLE stock_movements (
    id          BIGINT UNSIGNED NOT NULL AUTO_INCREMENT COMMENT 'keep',
    variant_id  BIGINT UNSIGNED NOT NULL COMMENT 'keep',
    quantity    INT             NOT NULL COMMENT 'keep',
    reason      VARCHAR(16)     CHARACTER SET ascii COLLATE ascii_bin NOT NULL COMMENT 'keep',
    note        VARCHAR(200)    NOT NULL DEFAULT '' COMMENT 'keep',
    order_id    BIGINT UNSIGNED NULL COMMENT 'keep',
    actor_id    BIGINT UNSIGNED NULL COMMENT 'keep',
    at          DATETIME(6)     NOT NULL COMMENT 'keep',
    PRIMARY KEY (id),
    KEY ix_stock_movements_variant (variant_id, id),
    KEY ix_stock_movements_order (order_id),
    KEY ix_stock_movements_actor (actor_id),
    CONSTRAINT fk_stock_movements_variant FOREIGN KEY (variant_id) REFERENCES variants (id),
    CONSTRAINT fk_stock_movements_order FOREIGN KEY (order_id) REFERENCES orders (id),
    CONSTRAINT fk_stock_movements_actor FOREIGN KEY (actor_id) REFERENCES users (id) ON DELETE SET NULL,
    CONSTRAINT ck_stock_movements_reason CHECK (reason IN ('initial', 'order', 'cancelled', 'expired', 'adjusted', 'import', 'received', 'counted', 'damaged', 'returned'))
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_unicode_520_ci;

-- Whoever wants to know when something is there again. The mail goes out once.
CREATE TABLE stock_requests (
    id           BIGINT UNSIGNED NOT NULL AUTO_INCREMENT COMMENT 'keep',
    variant_id   BIGINT UNSIGNED NOT NULL COMMENT 'export',
    user_id      BIGINT UNSIGNED NULL COMMENT 'keep',
    email        VARCHAR(254)    NOT NULL COMMENT 'erase',
    email_key    VARCHAR(254)    CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL COMMENT 'erase untold',
    created_at   DATETIME(6)     NOT NULL COMMENT 'export',
    PRIMARY KEY (id),
    UNIQUE KEY uq_stock_requests_email (variant_id, email_key),
    KEY ix_stock_requests_email (email_key),
    KEY ix_stock_requests_user (user_id),
    KEY ix_stock_requests_created (created_at),
    CONSTRAINT fk_stock_requests_variant FOREIGN KEY (variant_id) REFERENCES variants (id) ON DELETE CASCADE,
    CONSTRAINT fk_stock_requests_user FOREIGN KEY (user_id) REFERENCES users (id) ON DELETE CASCADE
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_unicode_520_ci;

-- Written by buyers only, shown once approved. author is the name that the buyer wants to be shown by.
CREATE TABLE reviews (
    id            BIGINT UNSIGNED  NOT NULL AUTO_INCREMENT COMMENT 'export',
    product_id    BIGINT UNSIGNED  NOT NULL COMMENT 'export',
    user_id       BIGINT UNSIGNED  NOT NULL COMMENT 'keep',
    author        VARCHAR(80)      NOT NULL COMMENT 'erase',
    rating        TINYINT UNSIGNED NOT NULL COMMENT 'export',
    title         VARCHAR(120)     NOT NULL COMMENT 'erase',
    body          VARCHAR(4000)    NOT NULL COMMENT 'erase',
    status        VARCHAR(16)      CHARACTER SET ascii COLLATE ascii_bin NOT NULL DEFAULT 'pending' COMMENT 'export',
    created_at    DATETIME(6)      NOT NULL COMMENT 'export',
    updated_at    DATETIME(6)      NOT NULL COMMENT 'keep',
    moderated_at  DATETIME(6)      NULL COMMENT 'keep',
    moderator_id  BIGINT UNSIGNED  NULL COMMENT 'keep',
    PRIMARY KEY (id),
    UNIQUE KEY uq_reviews_author (product_id, user_id),
    KEY ix_reviews_product (product_id, status, id),
    KEY ix_reviews_rating (product_id, status, rating, id),
    KEY ix_reviews_status (status, id),
    KEY ix_reviews_user (user_id),
    KEY ix_reviews_moderator (moderator_id),
    CONSTRAINT fk_reviews_product FOREIGN KEY (product_id) REFERENCES products (id) ON DELETE CASCADE,
    CONSTRAINT fk_reviews_user FOREIGN KEY (user_id) REFERENCES users (id) ON DELETE CASCADE,
    CONSTRAINT fk_reviews_moderator FOREIGN KEY (moderator_id) REFERENCES users (id) ON DELETE SET NULL,
    CONSTRAINT ck_reviews_rating CHECK (rating BETWEEN 1 AND 5),
    CONSTRAINT ck_reviews_status CHECK (status IN ('pending', 'approved', 'rejected'))
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_unicode_520_ci;

-- What somebody, or a guest's browser, wants to keep in mind.
CREATE TABLE wishlist_items (
    id          BIGINT UNSIGNED NOT NULL AUTO_INCREMENT COMMENT 'keep',
    user_id     BIGINT UNSIGNED NULL COMMENT 'keep',
    token_hash  CHAR(64)        CHARACTER SET ascii COLLATE ascii_bin NULL COMMENT 'keep, names a guest''s browser; an account''s has none',
    product_id  BIGINT UNSIGNED NOT NULL COMMENT 'export',
    added_at    DATETIME(6)     NOT NULL COMMENT 'export',
    PRIMARY KEY (id),
    UNIQUE KEY uq_wishlist_items_user (user_id, product_id),
    UNIQUE KEY uq_wishlist_items_token (token_hash, product_id),
    KEY ix_wishlist_items_product (product_id),
    KEY ix_wishlist_items_added (user_id, added_at),
    CONSTRAINT fk_wishlist_items_user FOREIGN KEY (user_id) REFERENCES users (id) ON DELETE CASCADE,
    CONSTRAINT fk_wishlist_items_product FOREIGN KEY (product_id) REFERENCES products (id) ON DELETE CASCADE,
    CONSTRAINT ck_wishlist_items_owner CHECK ((user_id IS NULL) <> (token_hash IS NULL))
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_unicode_520_ci;

-- What is bought together, reckoned from orders by a job. A higher score is the closer relation.
CREATE TABLE related_products (
    product_id  BIGINT UNSIGNED NOT NULL COMMENT 'keep',
    related_id  BIGINT UNSIGNED NOT NULL COMMENT 'keep',
    score       DOUBLE          NOT NULL COMMENT 'keep',
    PRIMARY KEY (product_id, related_id),
    KEY ix_related_products_score (product_id, score),
    KEY ix_related_products_related (related_id),
    CONSTRAINT fk_related_products_product FOREIGN KEY (product_id) REFERENCES products (id) ON DELETE CASCADE,
    CONSTRAINT fk_related_products_related FOREIGN KEY (related_id) REFERENCES products (id) ON DELETE CASCADE
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_unicode_520_ci;

-- What somebody may like, reckoned from their orders and wishlist by a job.
CREATE TABLE recommendations (
    user_id     BIGINT UNSIGNED NOT NULL COMMENT 'keep',
    product_id  BIGINT UNSIGNED NOT NULL COMMENT 'export',
    score       DOUBLE          NOT NULL COMMENT 'keep',
    PRIMARY KEY (user_id, product_id),
    KEY ix_recommendations_score (user_id, score),
    KEY ix_recommendations_product (product_id),
    CONSTRAINT fk_recommendations_user FOREIGN KEY (user_id) REFERENCES users (id) ON DELETE CASCADE,
    CONSTRAINT fk_recommendations_product FOREIGN KEY (product_id) REFERENCES products (id) ON DELETE CASCADE
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_unicode_520_ci;

-- Who searched for what on which day, each visitor once: visitor is a keyed hash that is another one tomorrow.
CREATE TABLE search_visits (
    day      DATE         NOT NULL COMMENT 'keep',
    term     VARCHAR(80)  CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL COMMENT 'keep, nothing that looks like an address or a number of somebody',
    visitor  CHAR(32)     CHARACTER SET ascii COLLATE ascii_bin NOT NULL COMMENT 'keep, a hash whose key is gone after the day',
    PRIMARY KEY (day, term, visitor)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_unicode_520_ci;

-- What people search for lately, reckoned from the visits by a job.
CREATE TABLE trending_terms (
    term   VARCHAR(80)  CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL COMMENT 'keep',
    score  DOUBLE       NOT NULL COMMENT 'keep',
    PRIMARY KEY (term),
    KEY ix_trending_terms_score (score)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_unicode_520_ci;

-- A file of products on its way in: looked through first, carried out when the owner says so. result is the JSON of what it would do
-- or did; file_path is under the shop's own folder. attempt counts the runners that began to prepare it, so that only the last one stores
-- a plan; applied is the number of planned products that are in the shop.
CREATE TABLE imports (
    id           BIGINT UNSIGNED NOT NULL AUTO_INCREMENT COMMENT 'keep',
    format       VARCHAR(16)     CHARACTER SET ascii COLLATE ascii_bin NOT NULL COMMENT 'keep',
    status       VARCHAR(16)     CHARACTER SET ascii COLLATE ascii_bin NOT NULL COMMENT 'keep',
    file_name    VARCHAR(190)    NOT NULL COMMENT 'keep',
    file_path    VARCHAR(190)    CHARACTER SET ascii COLLATE ascii_bin NOT NULL COMMENT 'keep',
    user_id      BIGINT UNSIGNED NULL COMMENT 'keep',
    total        INT UNSIGNED    NOT NULL DEFAULT 0 COMMENT 'keep',
    done         INT UNSIGNED    NOT NULL DEFAULT 0 COMMENT 'keep',
    attempt      INT UNSIGNED    NOT NULL DEFAULT 0 COMMENT 'keep',
    applied      INT UNSIGNED    NOT NULL DEFAULT 0 COMMENT 'keep',
    result       MEDIUMTEXT      NOT NULL COMMENT 'keep',
    created_at   DATETIME(6)     NOT NULL COMMENT 'keep',
    started_at   DATETIME(6)     NULL COMMENT 'keep',
    finished_at  DATETIME(6)     NULL COMMENT 'keep',
    PRIMARY KEY (id),
    KEY ix_imports_status (status, id),
    KEY ix_imports_user (user_id),
    CONSTRAINT fk_imports_user FOREIGN KEY (user_id) REFERENCES users (id) ON DELETE SET NULL,
    CONSTRAINT ck_imports_format CHECK (format IN ('shopify', 'simple')),
    CONSTRAINT ck_imports_status CHECK (status IN ('checking', 'refused', 'checked', 'waiting', 'running', 'applying', 'done', 'failed'))
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_unicode_520_ci;

-- The plan of an import that is being applied, in chunks of some dozen products; position counts the products before the chunk.
CREATE TABLE import_chunks (
    import_id      BIGINT UNSIGNED NOT NULL COMMENT 'keep',
    position       INT UNSIGNED    NOT NULL COMMENT 'keep',
    product_count  INT UNSIGNED    NOT NULL COMMENT 'keep',
    products       MEDIUMTEXT      NOT NULL COMMENT 'keep',
    PRIMARY KEY (import_id, position),
    CONSTRAINT fk_import_chunks_import FOREIGN KEY (import_id) REFERENCES imports (id) ON DELETE CASCADE
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_unicode_520_ci;

-- An action on many products or accounts: its plan is stored first, then applied batch by batch in ascending order of target_id.
-- after_id is the last target that was applied. An undo has no items of its own: it reverts those of the action that it undoes.
CREATE TABLE bulk_actions (
    id           BIGINT UNSIGNED NOT NULL AUTO_INCREMENT COMMENT 'keep',
    subject      VARCHAR(16)     CHARACTER SET ascii COLLATE ascii_bin NOT NULL COMMENT 'keep',
    action       VARCHAR(32)     CHARACTER SET ascii COLLATE ascii_bin NOT NULL COMMENT 'keep',
    params       VARCHAR(2000)   NOT NULL COMMENT 'keep',
    status       VARCHAR(16)     CHARACTER SET ascii COLLATE ascii_bin NOT NULL COMMENT 'keep',
    undo_of_id   BIGINT UNSIGNED NULL COMMENT 'keep',
    actor_id     BIGINT UNSIGNED NULL COMMENT 'keep',
    total        INT UNSIGNED    NOT NULL COMMENT 'keep',
    done         INT UNSIGNED    NOT NULL DEFAULT 0 COMMENT 'keep',
    changed      INT UNSIGNED    NOT NULL DEFAULT 0 COMMENT 'keep',
    skipped      INT UNSIGNED    NOT NULL DEFAULT 0 COMMENT 'keep',
    after_id     BIGINT UNSIGNED NOT NULL DEFAULT 0 COMMENT 'keep',
    error        VARCHAR(500)    NOT NULL DEFAULT '' COMMENT 'keep',
    created_at   DATETIME(6)     NOT NULL COMMENT 'keep',
    finished_at  DATETIME(6)     NULL COMMENT 'keep',
    PRIMARY KEY (id),
    UNIQUE KEY uq_bulk_actions_undo (undo_of_id),
    KEY ix_bulk_actions_status (status, id),
    KEY ix_bulk_actions_created (created_at, id),
    KEY ix_bulk_actions_actor (actor_id),
    CONSTRAINT fk_bulk_actions_undo FOREIGN KEY (undo_of_id) REFERENCES bulk_actions (id) ON DELETE CASCADE,
    CONSTRAINT fk_bulk_actions_actor FOREIGN KEY (actor_id) REFERENCES users (id) ON DELETE SET NULL,
    CONSTRAINT ck_bulk_actions_subject CHECK (subject IN ('product', 'user')),
    CONSTRAINT ck_bulk_actions_status CHECK (status IN ('planning', 'running', 'done', 'canceled', 'failed'))
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_unicode_520_ci;

-- before_value is what the action replaced, as JSON; NULL for what is not applied yet, was skipped or was that way already.
CREATE TABLE bulk_action_items (
    bulk_action_id  BIGINT UNSIGNED NOT NULL COMMENT 'keep',
    target_id       BIGINT UNSIGNED NOT NULL COMMENT 'keep',
    before_value    TEXT            NULL COMMENT 'erase untold',
    PRIMARY KEY (bulk_action_id, target_id),
    KEY ix_bulk_action_items_target (target_id),
    CONSTRAINT fk_bulk_action_items_action FOREIGN KEY (bulk_action_id) REFERENCES bulk_actions (id) ON DELETE CASCADE
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_unicode_520_ci;

-- What reduces an order: a coupon, which has a code, or an automatic discount, which has none. value is basis points of a percentage or
-- minor units of a fixed amount. used_count repeats the uses that were not released; its row is the lock under which uses are counted.
CREATE TABLE promotions (
    id                BIGINT UNSIGNED NOT NULL AUTO_INCREMENT COMMENT 'keep',
    code              VARCHAR(40)     CHARACTER SET ascii COLLATE ascii_bin NULL COMMENT 'keep',
    name              VARCHAR(120)    NOT NULL COMMENT 'keep',
    kind              VARCHAR(16)     CHARACTER SET ascii COLLATE ascii_bin NOT NULL COMMENT 'keep',
    value             BIGINT          NOT NULL COMMENT 'keep',
    minimum_minor     BIGINT          NOT NULL DEFAULT 0 COMMENT 'keep',
    category_id       BIGINT UNSIGNED NULL COMMENT 'keep',
    product_id        BIGINT UNSIGNED NULL COMMENT 'keep',
    most_uses         INT UNSIGNED    NULL COMMENT 'keep',
    most_by_customer  INT UNSIGNED    NULL COMMENT 'keep',
    used_count        INT UNSIGNED    NOT NULL DEFAULT 0 COMMENT 'keep',
    starts_at         DATETIME(6)     NULL COMMENT 'keep',
    ends_at           DATETIME(6)     NULL COMMENT 'keep',
    active            BOOLEAN         NOT NULL DEFAULT TRUE COMMENT 'keep',
    version           INT UNSIGNED    NOT NULL DEFAULT 1 COMMENT 'keep',
    created_at        DATETIME(6)     NOT NULL COMMENT 'keep',
    PRIMARY KEY (id),
    UNIQUE KEY uq_promotions_code (code),
    KEY ix_promotions_active (active, code, id),
    KEY ix_promotions_category (category_id),
    KEY ix_promotions_product (product_id),
    CONSTRAINT fk_promotions_category FOREIGN KEY (category_id) REFERENCES categories (id) ON DELETE CASCADE,
    CONSTRAINT fk_promotions_product FOREIGN KEY (product_id) REFERENCES products (id) ON DELETE CASCADE,
    CONSTRAINT ck_promotions_kind CHECK (kind IN ('percent', 'fixed', 'free_shipping')),
    CONSTRAINT ck_promotions_value CHECK (value >= 0 AND (kind <> 'percent' OR value <= 10000)),
    CONSTRAINT ck_promotions_used CHECK (most_uses IS NULL OR used_count <= most_uses)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_unicode_520_ci;

-- Which order used which coupon; customer is a keyed hash of the order's e-mail address, so that a guest counts as one customer too.
CREATE TABLE promotion_uses (
    id            BIGINT UNSIGNED NOT NULL AUTO_INCREMENT COMMENT 'keep',
    promotion_id  BIGINT UNSIGNED NOT NULL COMMENT 'keep',
    order_id      BIGINT UNSIGNED NOT NULL COMMENT 'keep',
    customer      CHAR(64)        CHARACTER SET ascii COLLATE ascii_bin NOT NULL COMMENT 'keep, a keyed hash that tells nobody who it was',
    amount_minor  BIGINT          NOT NULL COMMENT 'keep',
    used_at       DATETIME(6)     NOT NULL COMMENT 'keep',
    released_at   DATETIME(6)     NULL COMMENT 'keep',
    PRIMARY KEY (id),
    UNIQUE KEY uq_promotion_uses_order (order_id, promotion_id),
    KEY ix_promotion_uses_customer (promotion_id, customer, released_at),
    CONSTRAINT fk_promotion_uses_promotion FOREIGN KEY (promotion_id) REFERENCES promotions (id) ON DELETE CASCADE,
    CONSTRAINT fk_promotion_uses_order FOREIGN KEY (order_id) REFERENCES orders (id)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_unicode_520_ci;

-- A way to pay for an order that was begun. An order has at most one that succeeded. gateway_id is the provider's name of it.
CREATE TABLE payments (
    id              BIGINT UNSIGNED NOT NULL AUTO_INCREMENT COMMENT 'keep',
    order_id        BIGINT UNSIGNED NOT NULL COMMENT 'keep',
    method          VARCHAR(32)     CHARACTER SET ascii COLLATE ascii_bin NOT NULL COMMENT 'export',
    status          VARCHAR(16)     CHARACTER SET ascii COLLATE ascii_bin NOT NULL DEFAULT 'pending' COMMENT 'export',
    amount_minor    BIGINT          NOT NULL COMMENT 'export',
    captured_minor  BIGINT          NOT NULL DEFAULT 0 COMMENT 'export',
    refunded_minor  BIGINT          NOT NULL DEFAULT 0 COMMENT 'export',
    currency        CHAR(3)         CHARACTER SET ascii COLLATE ascii_bin NOT NULL COMMENT 'keep',
    gateway_id      VARCHAR(120)    CHARACTER SET ascii COLLATE ascii_bin NULL COMMENT 'keep',
    gateway_charge  VARCHAR(120)    CHARACTER SET ascii COLLATE ascii_bin NULL COMMENT 'keep',
    redirect_url    VARCHAR(2000)   CHARACTER SET ascii COLLATE ascii_bin NOT NULL DEFAULT '' COMMENT 'keep',
    checked_at      DATETIME(6)     NULL COMMENT 'keep',
    created_at      DATETIME(6)     NOT NULL COMMENT 'export',
    paid_at         DATETIME(6)     NULL COMMENT 'export',
    PRIMARY KEY (id),
    UNIQUE KEY uq_payments_gateway (gateway_id),
    KEY ix_payments_order (order_id, id),
    KEY ix_payments_status (status, checked_at, id),
    KEY ix_payments_created (created_at, id),
    KEY ix_payments_stands (status, created_at, id),
    KEY ix_payments_amount (amount_minor, id),
    KEY ix_payments_charge (gateway_charge),
    CONSTRAINT fk_payments_order FOREIGN KEY (order_id) REFERENCES orders (id),
    CONSTRAINT ck_payments_status CHECK (status IN ('pending', 'paid', 'abandoned', 'unwanted', 'returned')),
    CONSTRAINT ck_payments_amounts CHECK (amount_minor >= 0 AND captured_minor BETWEEN 0 AND amount_minor AND refunded_minor BETWEEN 0 AND captured_minor)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_unicode_520_ci;

-- What a gateway told and when, each event once.
CREATE TABLE payment_events (
    id           VARCHAR(120)    CHARACTER SET ascii COLLATE ascii_bin NOT NULL COMMENT 'keep',
    payment_id   BIGINT UNSIGNED NULL COMMENT 'keep',
    kind         VARCHAR(80)     CHARACTER SET ascii COLLATE ascii_bin NOT NULL COMMENT 'keep',
    received_at  DATETIME(6)     NOT NULL COMMENT 'keep',
    PRIMARY KEY (id),
    KEY ix_payment_events_payment (payment_id),
    KEY ix_payment_events_received (received_at),
    CONSTRAINT fk_payment_events_payment FOREIGN KEY (payment_id) REFERENCES payments (id)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_unicode_520_ci;

-- Parcels of an order.
CREATE TABLE shipments (
    id               BIGINT UNSIGNED NOT NULL AUTO_INCREMENT COMMENT 'keep',
    order_id         BIGINT UNSIGNED NOT NULL COMMENT 'keep',
    carrier          VARCHAR(60)     NOT NULL DEFAULT '' COMMENT 'export',
    tracking_number  VARCHAR(80)     NOT NULL DEFAULT '' COMMENT 'erase',
    tracking_url     VARCHAR(500)    NOT NULL DEFAULT '' COMMENT 'erase',
    shipped_at       DATETIME(6)     NOT NULL COMMENT 'export',
    delivered_at     DATETIME(6)     NULL COMMENT 'export',
    actor_id         BIGINT UNSIGNED NULL COMMENT 'keep',
    PRIMARY KEY (id),
    KEY ix_shipments_order (order_id, id),
    KEY ix_shipments_actor (actor_id),
    CONSTRAINT fk_shipments_order FOREIGN KEY (order_id) REFERENCES orders (id),
    CONSTRAINT fk_shipments_actor FOREIGN KEY (actor_id) REFERENCES users (id) ON DELETE SET NULL
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_unicode_520_ci;

CREATE TABLE shipment_items (
    shipment_id    BIGINT UNSIGNED NOT NULL COMMENT 'keep',
    order_item_id  BIGINT UNSIGNED NOT NULL COMMENT 'keep',
    quantity       INT UNSIGNED    NOT NULL COMMENT 'export',
    PRIMARY KEY (shipment_id, order_item_id),
    KEY ix_shipment_items_item (order_item_id),
    CONSTRAINT fk_shipment_items_shipment FOREIGN KEY (shipment_id) REFERENCES shipments (id),
    CONSTRAINT fk_shipment_items_item FOREIGN KEY (order_item_id) REFERENCES order_items (id),
    CONSTRAINT ck_shipment_items_quantity CHECK (quantity > 0)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_unicode_520_ci;

-- What a buyer wants to send back, and what became of it.
CREATE TABLE returns (
    id           BIGINT UNSIGNED NOT NULL AUTO_INCREMENT COMMENT 'keep',
    order_id     BIGINT UNSIGNED NOT NULL COMMENT 'keep',
    status       VARCHAR(16)     CHARACTER SET ascii COLLATE ascii_bin NOT NULL DEFAULT 'requested' COMMENT 'export',
    note         VARCHAR(1000)   NOT NULL DEFAULT '' COMMENT 'erase',
    answer       VARCHAR(1000)   NOT NULL DEFAULT '' COMMENT 'erase',
    created_at   DATETIME(6)     NOT NULL COMMENT 'export',
    decided_at   DATETIME(6)     NULL COMMENT 'export',
    received_at  DATETIME(6)     NULL COMMENT 'export',
    PRIMARY KEY (id),
    KEY ix_returns_order (order_id, id),
    KEY ix_returns_status (status, id),
    CONSTRAINT fk_returns_order FOREIGN KEY (order_id) REFERENCES orders (id),
    CONSTRAINT ck_returns_status CHECK (status IN ('requested', 'approved', 'rejected', 'received'))
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_unicode_520_ci;

CREATE TABLE return_items (
    return_id      BIGINT UNSIGNED NOT NULL COMMENT 'keep',
    order_item_id  BIGINT UNSIGNED NOT NULL COMMENT 'keep',
    quantity       INT UNSIGNED    NOT NULL COMMENT 'export',
    reason         VARCHAR(32)     CHARACTER SET ascii COLLATE ascii_bin NOT NULL COMMENT 'export',
    restocked      INT UNSIGNED    NOT NULL DEFAULT 0 COMMENT 'keep',
    PRIMARY KEY (return_id, order_item_id),
    KEY ix_return_items_item (order_item_id),
    CONSTRAINT fk_return_items_return FOREIGN KEY (return_id) REFERENCES returns (id),
    CONSTRAINT fk_return_items_item FOREIGN KEY (order_item_id) REFERENCES order_items (id),
    CONSTRAINT ck_return_items_quantity CHECK (quantity > 0 AND restocked <= quantity)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_unicode_520_ci;

-- Money that goes back: payment_minor by the way it came, gift_card_minor onto the card that paid, the card last. It is promised in the
-- transaction that adds the row, and done when the gateway has it.
CREATE TABLE refunds (
    id               BIGINT UNSIGNED NOT NULL AUTO_INCREMENT COMMENT 'keep',
    order_id         BIGINT UNSIGNED NOT NULL COMMENT 'keep',
    payment_id       BIGINT UNSIGNED NULL COMMENT 'keep',
    return_id        BIGINT UNSIGNED NULL COMMENT 'keep',
    status           VARCHAR(16)     CHARACTER SET ascii COLLATE ascii_bin NOT NULL DEFAULT 'pending' COMMENT 'export',
    payment_minor    BIGINT          NOT NULL COMMENT 'export',
    gift_card_minor  BIGINT          NOT NULL DEFAULT 0 COMMENT 'export',
    shipping_minor   BIGINT          NOT NULL DEFAULT 0 COMMENT 'export',
    reason           VARCHAR(200)    NOT NULL DEFAULT '' COMMENT 'export',
    gateway_id       VARCHAR(120)    CHARACTER SET ascii COLLATE ascii_bin NULL COMMENT 'keep',
    attempts         INT UNSIGNED    NOT NULL DEFAULT 0 COMMENT 'keep',
    due_at           DATETIME(6)     NOT NULL COMMENT 'keep',
    actor_id         BIGINT UNSIGNED NULL COMMENT 'keep',
    created_at       DATETIME(6)     NOT NULL COMMENT 'export',
    done_at          DATETIME(6)     NULL COMMENT 'export',
    PRIMARY KEY (id),
    UNIQUE KEY uq_refunds_gateway (gateway_id),
    KEY ix_refunds_order (order_id, id),
    KEY ix_refunds_payment (payment_id),
    KEY ix_refunds_return (return_id),
    KEY ix_refunds_due (status, due_at),
    KEY ix_refunds_actor (actor_id),
    CONSTRAINT fk_refunds_order FOREIGN KEY (order_id) REFERENCES orders (id),
    CONSTRAINT fk_refunds_payment FOREIGN KEY (payment_id) REFERENCES payments (id),
    CONSTRAINT fk_refunds_return FOREIGN KEY (return_id) REFERENCES returns (id),
    CONSTRAINT fk_refunds_actor FOREIGN KEY (actor_id) REFERENCES users (id) ON DELETE SET NULL,
    CONSTRAINT ck_refunds_status CHECK (status IN ('pending', 'done', 'failed')),
    CONSTRAINT ck_refunds_amounts CHECK (payment_minor >= 0 AND gift_card_minor >= 0 AND shipping_minor >= 0 AND payment_minor + gift_card_minor > 0)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_unicode_520_ci;

CREATE TABLE refund_items (
    refund_id      BIGINT UNSIGNED NOT NULL COMMENT 'keep',
    order_item_id  BIGINT UNSIGNED NOT NULL COMMENT 'keep',
    quantity       INT UNSIGNED    NOT NULL COMMENT 'export',
    amount_minor   BIGINT          NOT NULL COMMENT 'export',
    restocked      INT UNSIGNED    NOT NULL DEFAULT 0 COMMENT 'keep',
    unsent         INT UNSIGNED    NOT NULL DEFAULT 0 COMMENT 'keep, those of the quantity that will never be sent',
    PRIMARY KEY (refund_id, order_item_id),
    KEY ix_refund_items_item (order_item_id),
    CONSTRAINT fk_refund_items_refund FOREIGN KEY (refund_id) REFERENCES refunds (id),
    CONSTRAINT fk_refund_items_item FOREIGN KEY (order_item_id) REFERENCES order_items (id),
    CONSTRAINT ck_refund_items_quantity CHECK (quantity > 0 AND restocked <= quantity AND unsent <= quantity AND amount_minor >= 0)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_unicode_520_ci;

-- Stored value. The code is known to its holder only; the balance is the sum of the card's movements.
-- email is whom the shop gave the card to; who bought one is known by the order. A replaced card's money went to another one.
CREATE TABLE gift_cards (
    id             BIGINT UNSIGNED NOT NULL AUTO_INCREMENT COMMENT 'keep',
    code_hash      CHAR(64)        CHARACTER SET ascii COLLATE ascii_bin NOT NULL COMMENT 'keep, a hash of what nobody is known by',
    last_letters   CHAR(4)         CHARACTER SET ascii COLLATE ascii_bin NOT NULL COMMENT 'keep',
    currency       CHAR(3)         CHARACTER SET ascii COLLATE ascii_bin NOT NULL COMMENT 'keep',
    initial_minor  BIGINT          NOT NULL COMMENT 'keep',
    balance_minor  BIGINT          NOT NULL COMMENT 'keep',
    order_item_id  BIGINT UNSIGNED NULL COMMENT 'keep',
    email          VARCHAR(254)    NOT NULL DEFAULT '' COMMENT 'erase',
    replaced_by    BIGINT UNSIGNED NULL COMMENT 'keep',
    expires_at     DATETIME(6)     NULL COMMENT 'keep',
    voided_at      DATETIME(6)     NULL COMMENT 'keep',
    created_at     DATETIME(6)     NOT NULL COMMENT 'keep',
    PRIMARY KEY (id),
    UNIQUE KEY uq_gift_cards_code (code_hash),
    KEY ix_gift_cards_item (order_item_id),
    KEY ix_gift_cards_replaced (replaced_by),
    KEY ix_gift_cards_email (email),
    KEY ix_gift_cards_letters (last_letters),
    KEY ix_gift_cards_created (created_at, id),
    KEY ix_gift_cards_balance (balance_minor, id),
    CONSTRAINT fk_gift_cards_item FOREIGN KEY (order_item_id) REFERENCES order_items (id),
    CONSTRAINT fk_gift_cards_replaced FOREIGN KEY (replaced_by) REFERENCES gift_cards (id),
    CONSTRAINT ck_gift_cards_balance CHECK (initial_minor > 0 AND balance_minor BETWEEN 0 AND initial_minor)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_unicode_520_ci;

CREATE TABLE gift_card_movements (
    id            BIGINT UNSIGNED NOT NULL AUTO_INCREMENT COMMENT 'keep',
    gift_card_id  BIGINT UNSIGNED NOT NULL COMMENT 'keep',
    amount_minor  BIGINT          NOT NULL COMMENT 'keep',
    reason        VARCHAR(16)     CHARACTER SET ascii COLLATE ascii_bin NOT NULL COMMENT 'keep',
    order_id      BIGINT UNSIGNED NULL COMMENT 'keep',
    refund_id     BIGINT UNSIGNED NULL COMMENT 'keep',
    actor_id      BIGINT UNSIGNED NULL COMMENT 'keep',
    note          VARCHAR(200)    NOT NULL DEFAULT '' COMMENT 'keep',
    at            DATETIME(6)     NOT NULL COMMENT 'keep',
    PRIMARY KEY (id),
    KEY ix_gift_card_movements_card (gift_card_id, id),
    KEY ix_gift_card_movements_order (order_id),
    KEY ix_gift_card_movements_refund (refund_id),
    KEY ix_gift_card_movements_actor (actor_id),
    CONSTRAINT fk_gift_card_movements_card FOREIGN KEY (gift_card_id) REFERENCES gift_cards (id),
    CONSTRAINT fk_gift_card_movements_order FOREIGN KEY (order_id) REFERENCES orders (id),
    CONSTRAINT fk_gift_card_movements_refund FOREIGN KEY (refund_id) REFERENCES refunds (id),
    CONSTRAINT fk_gift_card_movements_actor FOREIGN KEY (actor_id) REFERENCES users (id) ON DELETE SET NULL,
    CONSTRAINT ck_gift_card_movements_reason CHECK (reason IN ('issued', 'spent', 'released', 'refunded', 'voided', 'replaced', 'adjusted'))
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_unicode_520_ci;

-- Numbers without a gap: whoever takes the next one holds this row until its document is there.
CREATE TABLE counters (
    name   VARCHAR(32)     CHARACTER SET ascii COLLATE ascii_bin NOT NULL COMMENT 'keep',
    value  BIGINT UNSIGNED NOT NULL COMMENT 'keep',
    PRIMARY KEY (name)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_unicode_520_ci;

-- Invoices and credit notes as they were issued, for the years that the law wants them kept.
CREATE TABLE invoices (
    id         BIGINT UNSIGNED NOT NULL AUTO_INCREMENT COMMENT 'keep',
    kind       VARCHAR(16)     CHARACTER SET ascii COLLATE ascii_bin NOT NULL COMMENT 'keep',
    number     BIGINT UNSIGNED NOT NULL COMMENT 'keep',
    order_id   BIGINT UNSIGNED NOT NULL COMMENT 'keep',
    refund_id  BIGINT UNSIGNED NULL COMMENT 'keep',
    document   MEDIUMBLOB      NOT NULL COMMENT 'keep, a legal document that tax law wants kept as it was issued',
    sha256     CHAR(64)        CHARACTER SET ascii COLLATE ascii_bin NOT NULL COMMENT 'keep',
    issued_at  DATETIME(6)     NOT NULL COMMENT 'keep',
    PRIMARY KEY (id),
    UNIQUE KEY uq_invoices_number (kind, number),
    UNIQUE KEY uq_invoices_refund (refund_id),
    KEY ix_invoices_order (order_id, id),
    CONSTRAINT fk_invoices_order FOREIGN KEY (order_id) REFERENCES orders (id),
    CONSTRAINT fk_invoices_refund FOREIGN KEY (refund_id) REFERENCES refunds (id),
    CONSTRAINT ck_invoices_kind CHECK (kind IN ('invoice', 'credit_note'))
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_unicode_520_ci;

-- scope is the buyer (u:<user id> or g:<hash of the guest's cart token>), for other acts on money the act and what it is done to
-- (refund:<order id>); body_hash tells a repeated request from another one. result_id is what such an act made.
CREATE TABLE invoice_requests (
    id          BIGINT UNSIGNED NOT NULL AUTO_INCREMENT COMMENT 'keep',
    order_id    BIGINT UNSIGNED NOT NULL COMMENT 'keep',
    refund_id   BIGINT UNSIGNED NULL COMMENT 'keep',
    created_at  DATETIME(6)     NOT NULL COMMENT 'keep',
    PRIMARY KEY (id),
    KEY ix_invoice_requests_order (order_id),
    KEY ix_invoice_requests_refund (refund_id),
    CONSTRAINT fk_invoice_requests_order FOREIGN KEY (order_id) REFERENCES orders (id),
    CONSTRAINT fk_invoice_requests_refund FOREIGN KEY (refund_id) REFERENCES refunds (id)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_unicode_520_ci;

CREATE TABLE idempotency_keys (
    scope       VARCHAR(80)     CHARACTER SET ascii COLLATE ascii_bin NOT NULL COMMENT 'erase untold',
    request_key VARCHAR(255)    CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL COMMENT 'erase untold',
    body_hash   CHAR(64)        CHARACTER SET ascii COLLATE ascii_bin NOT NULL COMMENT 'erase untold',
    order_id    BIGINT UNSIGNED NULL COMMENT 'keep',
    result_id   BIGINT UNSIGNED NULL COMMENT 'keep',
    created_at  DATETIME(6)     NOT NULL COMMENT 'keep',
    PRIMARY KEY (scope, request_key),
    KEY ix_idempotency_keys_order (order_id),
    KEY ix_idempotency_keys_created (created_at),
    CONSTRAINT fk_idempotency_keys_order FOREIGN KEY (order_id) REFERENCES orders (id)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_unicode_520_ci;

-- What was ordered on each day and not given up, as a job reckons it from the orders of days that something happened to: event_id is the last
-- of order_events that it had seen settled. carts_left is the number of carts last touched on that day that still held something at its end.
CREATE TABLE daily_sales (
    day          DATE            NOT NULL COMMENT 'keep',
    orders       INT UNSIGNED    NOT NULL DEFAULT 0 COMMENT 'keep',
    sales_minor  BIGINT          NOT NULL DEFAULT 0 COMMENT 'keep',
    carts_left   INT UNSIGNED    NULL COMMENT 'keep',
    event_id     BIGINT UNSIGNED NOT NULL DEFAULT 0 COMMENT 'keep',
    PRIMARY KEY (day),
    KEY ix_daily_sales_event (event_id)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_unicode_520_ci;

-- What somebody wrote by the contact form, a guest as likely as not; it is answered by mail.
CREATE TABLE contact_messages (
    id          BIGINT UNSIGNED NOT NULL AUTO_INCREMENT COMMENT 'keep',
    user_id     BIGINT UNSIGNED NULL COMMENT 'keep',
    name        VARCHAR(120)    NOT NULL COMMENT 'erase',
    email       VARCHAR(254)    NOT NULL COMMENT 'erase',
    email_key   VARCHAR(254)    CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL COMMENT 'erase untold',
    subject     VARCHAR(160)    NOT NULL COMMENT 'erase',
    body        VARCHAR(5000)   NOT NULL COMMENT 'erase',
    status      VARCHAR(16)     CHARACTER SET ascii COLLATE ascii_bin NOT NULL DEFAULT 'open' COMMENT 'export',
    created_at  DATETIME(6)     NOT NULL COMMENT 'export',
    PRIMARY KEY (id),
    KEY ix_contact_messages_user (user_id),
    KEY ix_contact_messages_email (email_key),
    KEY ix_contact_messages_status (status, id),
    KEY ix_contact_messages_created (created_at, id),
    CONSTRAINT fk_contact_messages_user FOREIGN KEY (user_id) REFERENCES users (id) ON DELETE CASCADE,
    CONSTRAINT ck_contact_messages_status CHECK (status IN ('open', 'done'))
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_unicode_520_ci;

-- What the shop answered by mail.
CREATE TABLE contact_answers (
    id                  BIGINT UNSIGNED NOT NULL AUTO_INCREMENT COMMENT 'keep',
    contact_message_id  BIGINT UNSIGNED NOT NULL COMMENT 'keep',
    author_id           BIGINT UNSIGNED NULL COMMENT 'keep',
    body                VARCHAR(5000)   NOT NULL COMMENT 'erase',
    created_at          DATETIME(6)     NOT NULL COMMENT 'export',
    PRIMARY KEY (id),
    KEY ix_contact_answers_message (contact_message_id, id),
    KEY ix_contact_answers_author (author_id),
    CONSTRAINT fk_contact_answers_message FOREIGN KEY (contact_message_id) REFERENCES contact_messages (id) ON DELETE CASCADE,
    CONSTRAINT fk_contact_answers_author FOREIGN KEY (author_id) REFERENCES users (id) ON DELETE SET NULL
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_unicode_520_ci;

-- A conversation of a customer with the shop. Open waits for the shop, waiting for the customer; a message of theirs opens it again.
CREATE TABLE tickets (
    id           BIGINT UNSIGNED NOT NULL AUTO_INCREMENT COMMENT 'keep',
    number       VARCHAR(20)     CHARACTER SET ascii COLLATE ascii_bin NOT NULL COMMENT 'export',
    user_id      BIGINT UNSIGNED NOT NULL COMMENT 'keep',
    order_id     BIGINT UNSIGNED NULL COMMENT 'keep',
    subject      VARCHAR(160)    NOT NULL COMMENT 'erase',
    status       VARCHAR(16)     CHARACTER SET ascii COLLATE ascii_bin NOT NULL DEFAULT 'open' COMMENT 'export',
    assignee_id  BIGINT UNSIGNED NULL COMMENT 'keep',
    created_at   DATETIME(6)     NOT NULL COMMENT 'export',
    updated_at   DATETIME(6)     NOT NULL COMMENT 'export',
    PRIMARY KEY (id),
    UNIQUE KEY uq_tickets_number (number),
    KEY ix_tickets_user (user_id, id),
    KEY ix_tickets_order (order_id),
    KEY ix_tickets_updated (updated_at, id),
    KEY ix_tickets_status (status, updated_at, id),
    KEY ix_tickets_assignee (assignee_id, updated_at, id),
    CONSTRAINT fk_tickets_user FOREIGN KEY (user_id) REFERENCES users (id) ON DELETE CASCADE,
    CONSTRAINT fk_tickets_order FOREIGN KEY (order_id) REFERENCES orders (id),
    CONSTRAINT fk_tickets_assignee FOREIGN KEY (assignee_id) REFERENCES users (id) ON DELETE SET NULL,
    CONSTRAINT ck_tickets_status CHECK (status IN ('open', 'waiting', 'closed'))
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_unicode_520_ci;

-- A note is for staff only while it is worked with; whoever asks for all that is known of them is told it, too.
CREATE TABLE ticket_messages (
    id          BIGINT UNSIGNED NOT NULL AUTO_INCREMENT COMMENT 'keep',
    ticket_id   BIGINT UNSIGNED NOT NULL COMMENT 'keep',
    author_id   BIGINT UNSIGNED NULL COMMENT 'keep',
    kind        VARCHAR(16)     CHARACTER SET ascii COLLATE ascii_bin NOT NULL COMMENT 'export',
    body        VARCHAR(5000)   NOT NULL COMMENT 'erase',
    created_at  DATETIME(6)     NOT NULL COMMENT 'export',
    PRIMARY KEY (id),
    KEY ix_ticket_messages_ticket (ticket_id, id),
    KEY ix_ticket_messages_author (author_id),
    CONSTRAINT fk_ticket_messages_ticket FOREIGN KEY (ticket_id) REFERENCES tickets (id) ON DELETE CASCADE,
    CONSTRAINT fk_ticket_messages_author FOREIGN KEY (author_id) REFERENCES users (id) ON DELETE SET NULL,
    CONSTRAINT ck_ticket_messages_kind CHECK (kind IN ('customer', 'staff', 'note'))
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_unicode_520_ci;

-- Pictures that came with a message. A picture is uploaded first and belongs to nobody until the message that names it is written.
CREATE TABLE attachments (
    id                  BIGINT UNSIGNED   NOT NULL AUTO_INCREMENT COMMENT 'keep',
    name                CHAR(32)          CHARACTER SET ascii COLLATE ascii_bin NOT NULL COMMENT 'erase',
    ticket_message_id   BIGINT UNSIGNED   NULL COMMENT 'keep',
    contact_message_id  BIGINT UNSIGNED   NULL COMMENT 'keep',
    width               SMALLINT UNSIGNED NOT NULL COMMENT 'export',
    height              SMALLINT UNSIGNED NOT NULL COMMENT 'export',
    created_at          DATETIME(6)       NOT NULL COMMENT 'export',
    PRIMARY KEY (id),
    UNIQUE KEY uq_attachments_name (name),
    KEY ix_attachments_ticket_message (ticket_message_id, contact_message_id, created_at),
    KEY ix_attachments_contact_message (contact_message_id),
    CONSTRAINT fk_attachments_ticket_message FOREIGN KEY (ticket_message_id) REFERENCES ticket_messages (id) ON DELETE CASCADE,
    CONSTRAINT fk_attachments_contact_message FOREIGN KEY (contact_message_id) REFERENCES contact_messages (id) ON DELETE CASCADE
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_unicode_520_ci;

-- What staff answer again and again.
CREATE TABLE canned_replies (
    id     BIGINT UNSIGNED NOT NULL AUTO_INCREMENT COMMENT 'keep',
    title  VARCHAR(80)     NOT NULL COMMENT 'keep',
    body   VARCHAR(5000)   NOT NULL COMMENT 'keep',
    PRIMARY KEY (id),
    UNIQUE KEY uq_canned_replies_title (title)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_unicode_520_ci;

-- The outbox. data is what the template needs; it may hold a code and is emptied when the mail is sent. user_id is set where the
-- recipient's address does not tell whose mail it is: after a change of address.
CREATE TABLE mails (
    id            BIGINT UNSIGNED   NOT NULL AUTO_INCREMENT COMMENT 'keep',
    message_id    VARCHAR(120)      CHARACTER SET ascii COLLATE ascii_bin NOT NULL COMMENT 'keep',
    template      VARCHAR(60)       CHARACTER SET ascii COLLATE ascii_bin NOT NULL COMMENT 'export',
    recipient     VARCHAR(254)      NOT NULL COMMENT 'erase',
    data          MEDIUMTEXT        NOT NULL COMMENT 'erase untold',
    order_id      BIGINT UNSIGNED   NULL COMMENT 'keep',
    user_id       BIGINT UNSIGNED   NULL COMMENT 'keep',
    invoice_id    BIGINT UNSIGNED   NULL COMMENT 'keep',
    status        VARCHAR(16)       CHARACTER SET ascii COLLATE ascii_bin NOT NULL DEFAULT 'queued' COMMENT 'export',
    attempts      SMALLINT UNSIGNED NOT NULL DEFAULT 0 COMMENT 'keep',
    last_error    VARCHAR(500)      NOT NULL DEFAULT '' COMMENT 'erase untold',
    created_at    DATETIME(6)       NOT NULL COMMENT 'export',
    due_at        DATETIME(6)       NOT NULL COMMENT 'keep',
    leased_until  DATETIME(6)       NULL COMMENT 'keep',
    sent_at       DATETIME(6)       NULL COMMENT 'export',
    PRIMARY KEY (id),
    UNIQUE KEY uq_mails_message (message_id),
    KEY ix_mails_due (status, due_at),
    KEY ix_mails_order (order_id),
    KEY ix_mails_user (user_id),
    KEY ix_mails_invoice (invoice_id),
    KEY ix_mails_recipient (recipient),
    KEY ix_mails_template (template, id),
    KEY ix_mails_created (created_at, id),
    CONSTRAINT fk_mails_order FOREIGN KEY (order_id) REFERENCES orders (id),
    CONSTRAINT fk_mails_user FOREIGN KEY (user_id) REFERENCES users (id) ON DELETE SET NULL,
    CONSTRAINT fk_mails_invoice FOREIGN KEY (invoice_id) REFERENCES invoices (id),
    CONSTRAINT ck_mails_status CHECK (status IN ('queued', 'sent', 'failed'))
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_unicode_520_ci;

-- Who gets the newsletter, by address. users.newsletter repeats it of an account's address, so that lists of customers filter by it; each change writes both.
CREATE TABLE subscribers (
    id            BIGINT UNSIGNED NOT NULL AUTO_INCREMENT COMMENT 'keep',
    email         VARCHAR(254)    NOT NULL COMMENT 'erase',
    email_key     VARCHAR(254)    CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL COMMENT 'erase untold',
    status        VARCHAR(16)     CHARACTER SET ascii COLLATE ascii_bin NOT NULL COMMENT 'export',
    source        VARCHAR(16)     CHARACTER SET ascii COLLATE ascii_bin NOT NULL COMMENT 'export',
    asked_at      DATETIME(6)     NOT NULL COMMENT 'export',
    confirmed_at  DATETIME(6)     NULL COMMENT 'export',
    ended_at      DATETIME(6)     NULL COMMENT 'export',
    PRIMARY KEY (id),
    UNIQUE KEY uq_subscribers_email (email_key),
    KEY ix_subscribers_status (status, id),
    KEY ix_subscribers_email (status, email_key),
    CONSTRAINT ck_subscribers_status CHECK (status IN ('pending', 'subscribed', 'unsubscribed')),
    CONSTRAINT ck_subscribers_source CHECK (source IN ('form', 'account', 'staff'))
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_unicode_520_ci;

-- What subscribers are written. after_id is the last subscriber whose mail is written, up_to_id the last there was when the sending began;
-- the counts repeat newsletter_mails, but outlive whoever is erased.
CREATE TABLE newsletters (
    id                  BIGINT UNSIGNED NOT NULL AUTO_INCREMENT COMMENT 'keep',
    subject             VARCHAR(160)    NOT NULL COMMENT 'keep',
    markdown            MEDIUMTEXT      NOT NULL COMMENT 'keep',
    recommend           BOOLEAN         NOT NULL DEFAULT TRUE COMMENT 'keep',
    status              VARCHAR(16)     CHARACTER SET ascii COLLATE ascii_bin NOT NULL DEFAULT 'draft' COMMENT 'keep',
    version             INT UNSIGNED    NOT NULL DEFAULT 1 COMMENT 'keep',
    after_id            BIGINT UNSIGNED NOT NULL DEFAULT 0 COMMENT 'keep',
    up_to_id            BIGINT UNSIGNED NOT NULL DEFAULT 0 COMMENT 'keep',
    reader_count        INT UNSIGNED    NOT NULL DEFAULT 0 COMMENT 'keep',
    written_count       INT UNSIGNED    NOT NULL DEFAULT 0 COMMENT 'keep',
    sent_count          INT UNSIGNED    NOT NULL DEFAULT 0 COMMENT 'keep',
    failed_count        INT UNSIGNED    NOT NULL DEFAULT 0 COMMENT 'keep',
    unsubscribed_count  INT UNSIGNED    NOT NULL DEFAULT 0 COMMENT 'keep',
    created_at          DATETIME(6)     NOT NULL COMMENT 'keep',
    updated_at          DATETIME(6)     NOT NULL COMMENT 'keep',
    started_at          DATETIME(6)     NULL COMMENT 'keep',
    finished_at         DATETIME(6)     NULL COMMENT 'keep',
    PRIMARY KEY (id),
    KEY ix_newsletters_status (status, id),
    CONSTRAINT ck_newsletters_status CHECK (status IN ('draft', 'sending', 'paused', 'sent'))
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_unicode_520_ci;

-- Each reader once for each newsletter. A mail that was not sent when its reader unsubscribed is withdrawn.
CREATE TABLE newsletter_mails (
    newsletter_id    BIGINT UNSIGNED NOT NULL COMMENT 'keep',
    subscriber_id    BIGINT UNSIGNED NOT NULL COMMENT 'keep',
    mail_id          BIGINT UNSIGNED NULL COMMENT 'keep',
    status           VARCHAR(16)     CHARACTER SET ascii COLLATE ascii_bin NOT NULL DEFAULT 'queued' COMMENT 'keep',
    unsubscribed_at  DATETIME(6)     NULL COMMENT 'keep',
    PRIMARY KEY (newsletter_id, subscriber_id),
    KEY ix_newsletter_mails_subscriber (subscriber_id, status),
    KEY ix_newsletter_mails_mail (mail_id),
    KEY ix_newsletter_mails_status (status, newsletter_id, subscriber_id),
    CONSTRAINT fk_newsletter_mails_newsletter FOREIGN KEY (newsletter_id) REFERENCES newsletters (id) ON DELETE CASCADE,
    CONSTRAINT fk_newsletter_mails_subscriber FOREIGN KEY (subscriber_id) REFERENCES subscribers (id) ON DELETE CASCADE,
    CONSTRAINT fk_newsletter_mails_mail FOREIGN KEY (mail_id) REFERENCES mails (id) ON DELETE SET NULL,
    CONSTRAINT ck_newsletter_mails_status CHECK (status IN ('queued', 'sent', 'failed', 'withdrawn'))
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_unicode_520_ci;

-- What happened, for good: the app's account may add rows and change none. Ids only, never a name, an address or a value; so nothing
-- refers to another table, and nothing here changes when somebody is erased.
CREATE TABLE events (
    id            BIGINT UNSIGNED NOT NULL AUTO_INCREMENT COMMENT 'keep',
    at            DATETIME(6)     NOT NULL COMMENT 'keep',
    kind          VARCHAR(32)     CHARACTER SET ascii COLLATE ascii_bin NOT NULL COMMENT 'keep',
    actor_id      BIGINT UNSIGNED NULL COMMENT 'keep',
    subject_kind  VARCHAR(16)     CHARACTER SET ascii COLLATE ascii_bin NOT NULL COMMENT 'keep',
    subject_id    BIGINT UNSIGNED NULL COMMENT 'keep',
    request_id    CHAR(16)        CHARACTER SET ascii COLLATE ascii_bin NOT NULL COMMENT 'keep',
    detail        VARCHAR(1000)   NOT NULL COMMENT 'keep',
    PRIMARY KEY (id),
    KEY ix_events_subject (subject_kind, subject_id, id),
    KEY ix_events_kind (kind, id),
    KEY ix_events_actor (actor_id, id),
    KEY ix_events_request (request_id),
    KEY ix_events_at (at)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_unicode_520_ci;

-- What the owner's choices were before and after each change; rows are only added, and the unique key lets one of two who saw the same version win.
CREATE TABLE setting_changes (
    id            BIGINT UNSIGNED NOT NULL AUTO_INCREMENT COMMENT 'keep',
    section       VARCHAR(16)     CHARACTER SET ascii COLLATE ascii_bin NOT NULL COMMENT 'keep',
    version       INT UNSIGNED    NOT NULL COMMENT 'keep',
    value_before  TEXT            NOT NULL COMMENT 'keep',
    value_after   TEXT            NOT NULL COMMENT 'keep',
    actor_id      BIGINT UNSIGNED NULL COMMENT 'keep',
    changed_at    DATETIME(6)     NOT NULL COMMENT 'keep',
    PRIMARY KEY (id),
    UNIQUE KEY uq_setting_changes_section (section, version),
    KEY ix_setting_changes_actor (actor_id),
    CONSTRAINT fk_setting_changes_actor FOREIGN KEY (actor_id) REFERENCES users (id) ON DELETE SET NULL
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_unicode_520_ci;

-- The owner's pages, a row for each time one was saved: orders name the version of the terms that was accepted, so none is changed or taken away.
CREATE TABLE article_versions (
    slug      VARCHAR(16)     CHARACTER SET ascii COLLATE ascii_bin NOT NULL COMMENT 'keep',
    version   INT UNSIGNED    NOT NULL COMMENT 'keep',
    title     VARCHAR(80)     NOT NULL COMMENT 'keep',
    markdown  MEDIUMTEXT      NOT NULL COMMENT 'keep',
    actor_id  BIGINT UNSIGNED NULL COMMENT 'keep',
    saved_at  DATETIME(6)     NOT NULL COMMENT 'keep',
    PRIMARY KEY (slug, version),
    KEY ix_article_versions_actor (actor_id),
    CONSTRAINT fk_article_versions_actor FOREIGN KEY (actor_id) REFERENCES users (id) ON DELETE SET NULL
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_unicode_520_ci;

-- What runs when. A runner takes a job by moving its lease; a job whose runner died is taken again when the lease ends.
CREATE TABLE jobs (
    name          VARCHAR(60)       CHARACTER SET ascii COLLATE ascii_bin NOT NULL COMMENT 'keep',
    due_at        DATETIME(6)       NOT NULL COMMENT 'keep',
    leased_by     VARCHAR(80)       CHARACTER SET ascii COLLATE ascii_bin NULL COMMENT 'keep',
    leased_until  DATETIME(6)       NULL COMMENT 'keep',
    started_at    DATETIME(6)       NULL COMMENT 'keep',
    finished_at   DATETIME(6)       NULL COMMENT 'keep',
    failures      SMALLINT UNSIGNED NOT NULL DEFAULT 0 COMMENT 'keep',
    last_result   VARCHAR(500)      NOT NULL DEFAULT '' COMMENT 'keep',
    asked         BOOLEAN           NOT NULL DEFAULT FALSE COMMENT 'keep',
    PRIMARY KEY (name)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_unicode_520_ci;

-- The latest runs of each job; a job takes the older ones away.
CREATE TABLE job_runs (
    id            BIGINT UNSIGNED   NOT NULL AUTO_INCREMENT COMMENT 'keep',
    job           VARCHAR(60)       CHARACTER SET ascii COLLATE ascii_bin NOT NULL COMMENT 'keep',
    runner        VARCHAR(80)       CHARACTER SET ascii COLLATE ascii_bin NOT NULL COMMENT 'keep',
    started_at    DATETIME(6)       NOT NULL COMMENT 'keep',
    finished_at   DATETIME(6)       NOT NULL COMMENT 'keep',
    failed        BOOLEAN           NOT NULL COMMENT 'keep',
    result        VARCHAR(500)      NOT NULL COMMENT 'keep',
    PRIMARY KEY (id),
    KEY ix_job_runs_job (job, failed, id)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_unicode_520_ci;

-- What somebody wants done with backups, or the night: one at a time, since `open` is TRUE or NULL and unique.
CREATE TABLE backup_tasks (
    id             BIGINT UNSIGNED NOT NULL AUTO_INCREMENT COMMENT 'keep',
    kind           VARCHAR(16)     CHARACTER SET ascii COLLATE ascii_bin NOT NULL COMMENT 'keep',
    name           VARCHAR(60)     CHARACTER SET ascii COLLATE ascii_bin NOT NULL DEFAULT '' COMMENT 'keep',
    status         VARCHAR(16)     CHARACTER SET ascii COLLATE ascii_bin NOT NULL DEFAULT 'waiting' COMMENT 'keep',
    open           BOOLEAN         NULL COMMENT 'keep',
    phase          VARCHAR(16)     CHARACTER SET ascii COLLATE ascii_bin NOT NULL DEFAULT '' COMMENT 'keep',
    done           BIGINT UNSIGNED NOT NULL DEFAULT 0 COMMENT 'keep',
    total          BIGINT UNSIGNED NOT NULL DEFAULT 0 COMMENT 'keep',
    problem        VARCHAR(500)    NOT NULL DEFAULT '' COMMENT 'keep',
    user_id        BIGINT UNSIGNED NULL COMMENT 'keep',
    trusted_digest CHAR(64)        CHARACTER SET ascii COLLATE ascii_bin NULL COMMENT 'keep',
    created_at     DATETIME(6)     NOT NULL COMMENT 'keep',
    started_at     DATETIME(6)     NULL COMMENT 'keep',
    finished_at    DATETIME(6)     NULL COMMENT 'keep',
    PRIMARY KEY (id),
    UNIQUE KEY uq_backup_tasks_open (open),
    KEY ix_backup_tasks_kind (kind, created_at),
    KEY ix_backup_tasks_user (user_id),
    CONSTRAINT fk_backup_tasks_user FOREIGN KEY (user_id) REFERENCES users (id) ON DELETE SET NULL,
    CONSTRAINT ck_backup_tasks_kind CHECK (kind IN ('make', 'prove', 'restore')),
    CONSTRAINT ck_backup_tasks_status CHECK (status IN ('waiting', 'running', 'done', 'failed'))
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_unicode_520_ci;

-- The versions this file stands for, so that a schema loaded by hand is known as such.
INSERT INTO schema_migrations (version, checksum, applied_at) VALUES
    ('0001_baseline', 'e9568245f2dfb96cd9affabdc3e913eba467575781e468816ac6d4c4d66e3739', UTC_TIMESTAMP(6)),
    ('0002_running_the_shop', 'c91de068c857c03f13f1d435c71a0e5ceed7d7bdbdff2984e157822866561aee', UTC_TIMESTAMP(6)),
    ('0003_import_plans', '2d48939a1788285d1e300db0a2c537eb9c4448af5fcb6a6527faefb797252ec2', UTC_TIMESTAMP(6)),
    ('0004_bulk_actions', '1139c84f1061fdeeceec4fd4daf708c5d4ae70962ef3c42f6566c21f2ab972fc', UTC_TIMESTAMP(6)),
    ('0005_tracking_is_personal', '1c022a08bb3607b448caf0b79e8b08fa53dd149aea2c8ef79f8d64a0a4053f4c', UTC_TIMESTAMP(6)),
    ('0006_unsigned_backups', '3fc0d51426f9435635ce2de6c0b43a0192bda849d02c5c95891eca31d90fb19f', UTC_TIMESTAMP(6));
