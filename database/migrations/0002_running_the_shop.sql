-- What customers ask, and what runs the shop: support, newsletters, pages of the owner, backups' and customers' notes.

-- step: table contact_messages
CREATE TABLE contact_messages (
    id          BIGINT UNSIGNED NOT NULL AUTO_INCREMENT COMMENT 'keep',
    user_id     BIGINT UNSIGNED NULL COMMENT 'keep',
    name        VARCHAR(120)    NOT NULL COMMENT 'erase',
    email       VARCHAR(254)    NOT NULL COMMENT 'erase',
    email_key   VARCHAR(254)    CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL COMMENT 'erase untold',
    subject     VARCHAR(160)    NOT NULL COMMENT 'erase',
    body        VARCHAR(5000)   NOT NULL COMMENT 'erase',
    created_at  DATETIME(6)     NOT NULL COMMENT 'export',
    PRIMARY KEY (id),
    KEY ix_contact_messages_user (user_id),
    KEY ix_contact_messages_email (email_key),
    CONSTRAINT fk_contact_messages_user FOREIGN KEY (user_id) REFERENCES users (id) ON DELETE CASCADE
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_unicode_520_ci;

-- step: table tickets
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

-- step: table ticket_messages
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

-- step: table canned_replies
CREATE TABLE canned_replies (
    id     BIGINT UNSIGNED NOT NULL AUTO_INCREMENT COMMENT 'keep',
    title  VARCHAR(80)     NOT NULL COMMENT 'keep',
    body   VARCHAR(5000)   NOT NULL COMMENT 'keep',
    PRIMARY KEY (id),
    UNIQUE KEY uq_canned_replies_title (title)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_unicode_520_ci;

-- step: table daily_sales
CREATE TABLE daily_sales (
    day          DATE            NOT NULL COMMENT 'keep',
    orders       INT UNSIGNED    NOT NULL DEFAULT 0 COMMENT 'keep',
    sales_minor  BIGINT          NOT NULL DEFAULT 0 COMMENT 'keep',
    carts_left   INT UNSIGNED    NULL COMMENT 'keep',
    event_id     BIGINT UNSIGNED NOT NULL DEFAULT 0 COMMENT 'keep',
    PRIMARY KEY (day),
    KEY ix_daily_sales_event (event_id)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_unicode_520_ci;

-- step: index products.ix_products_archived_sold
ALTER TABLE products ADD KEY ix_products_archived_sold (archived_at, sold_count, id);

-- step: table subscribers
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

-- step: table newsletters
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

-- step: table newsletter_mails
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

-- step: data
-- Whoever wanted the newsletter in an account with a proven address is a subscriber.
INSERT INTO subscribers (email, email_key, status, source, asked_at, confirmed_at)
SELECT u.email, u.email_key, 'subscribed', 'account', UTC_TIMESTAMP(6), UTC_TIMESTAMP(6)
  FROM users u
 WHERE u.newsletter AND NOT EXISTS (SELECT 1 FROM subscribers s WHERE s.email_key = u.email_key);

-- step: table backup_tasks
CREATE TABLE backup_tasks (
    id           BIGINT UNSIGNED NOT NULL AUTO_INCREMENT COMMENT 'keep',
    kind         VARCHAR(16)     CHARACTER SET ascii COLLATE ascii_bin NOT NULL COMMENT 'keep',
    name         VARCHAR(60)     CHARACTER SET ascii COLLATE ascii_bin NOT NULL DEFAULT '' COMMENT 'keep',
    status       VARCHAR(16)     CHARACTER SET ascii COLLATE ascii_bin NOT NULL DEFAULT 'waiting' COMMENT 'keep',
    open         BOOLEAN         NULL COMMENT 'keep',
    phase        VARCHAR(16)     CHARACTER SET ascii COLLATE ascii_bin NOT NULL DEFAULT '' COMMENT 'keep',
    done         BIGINT UNSIGNED NOT NULL DEFAULT 0 COMMENT 'keep',
    total        BIGINT UNSIGNED NOT NULL DEFAULT 0 COMMENT 'keep',
    problem      VARCHAR(500)    NOT NULL DEFAULT '' COMMENT 'keep',
    user_id      BIGINT UNSIGNED NULL COMMENT 'keep',
    created_at   DATETIME(6)     NOT NULL COMMENT 'keep',
    started_at   DATETIME(6)     NULL COMMENT 'keep',
    finished_at  DATETIME(6)     NULL COMMENT 'keep',
    PRIMARY KEY (id),
    UNIQUE KEY uq_backup_tasks_open (open),
    KEY ix_backup_tasks_kind (kind, created_at),
    KEY ix_backup_tasks_user (user_id),
    CONSTRAINT fk_backup_tasks_user FOREIGN KEY (user_id) REFERENCES users (id) ON DELETE SET NULL,
    CONSTRAINT ck_backup_tasks_kind CHECK (kind IN ('make', 'prove', 'restore')),
    CONSTRAINT ck_backup_tasks_status CHECK (status IN ('waiting', 'running', 'done', 'failed'))
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_unicode_520_ci;

-- step: table article_versions
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

-- step: column users.cart_reminders
ALTER TABLE users ADD COLUMN cart_reminders BOOLEAN NOT NULL DEFAULT FALSE COMMENT 'export' AFTER newsletter;

-- step: column carts.reminded_at
ALTER TABLE carts ADD COLUMN reminded_at DATETIME(6) NULL COMMENT 'keep' AFTER updated_at;

-- step: column orders.terms_version
ALTER TABLE orders ADD COLUMN terms_version INT UNSIGNED NULL COMMENT 'export' AFTER note;

-- step: column contact_messages.status
ALTER TABLE contact_messages ADD COLUMN status VARCHAR(16) CHARACTER SET ascii COLLATE ascii_bin NOT NULL DEFAULT 'open' COMMENT 'export' AFTER body;

-- step: index contact_messages.ix_contact_messages_status
ALTER TABLE contact_messages ADD KEY ix_contact_messages_status (status, id);

-- step: constraint contact_messages.ck_contact_messages_status
ALTER TABLE contact_messages ADD CONSTRAINT ck_contact_messages_status CHECK (status IN ('open', 'done'));

-- step: table contact_answers
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

-- step: table attachments
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

-- step: index orders.ix_orders_state
ALTER TABLE orders ADD KEY ix_orders_state (status, placed_at, id, payment_status, fulfilment_status);

-- step: index orders.ix_orders_paid
ALTER TABLE orders ADD KEY ix_orders_paid (payment_status, placed_at, id, status, fulfilment_status);

-- step: index orders.ix_orders_sent
ALTER TABLE orders ADD KEY ix_orders_sent (fulfilment_status, placed_at, id, status, payment_status);

-- step: index orders.ix_orders_total
ALTER TABLE orders ADD KEY ix_orders_total (total_minor, id, status, payment_status, fulfilment_status);

-- step: table user_notes
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

-- step: column users.signed_in_at
ALTER TABLE users ADD COLUMN signed_in_at DATETIME(6) NULL COMMENT 'export' AFTER block_reason;

-- step: data
-- Who signed in before is known by the devices that they did it on.
UPDATE users u
  JOIN (SELECT user_id, MAX(seen_at) AS seen_at FROM known_devices GROUP BY user_id) d ON d.user_id = u.id
   SET u.signed_in_at = d.seen_at
 WHERE u.signed_in_at IS NULL;

-- step: index users.ix_users_status
ALTER TABLE users ADD KEY ix_users_status (status, id);

-- step: index users.ix_users_blocked
ALTER TABLE users ADD KEY ix_users_blocked (blocked_until, id);

-- step: index users.ix_users_created
ALTER TABLE users ADD KEY ix_users_created (created_at, id);

-- step: index mails.ix_mails_created
ALTER TABLE mails ADD KEY ix_mails_created (created_at, id);

-- step: index contact_messages.ix_contact_messages_created
ALTER TABLE contact_messages ADD KEY ix_contact_messages_created (created_at, id);
