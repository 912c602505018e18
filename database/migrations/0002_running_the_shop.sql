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
