-- Bulk actions: the plan and the progress of an action on many rows, which is applied in small transactions.

-- step: table bulk_actions
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

-- step: table bulk_action_items
CREATE TABLE bulk_action_items (
    bulk_action_id  BIGINT UNSIGNED NOT NULL COMMENT 'keep',
    target_id       BIGINT UNSIGNED NOT NULL COMMENT 'keep',
    before_value    TEXT            NULL COMMENT 'erase untold',
    PRIMARY KEY (bulk_action_id, target_id),
    KEY ix_bulk_action_items_target (target_id),
    CONSTRAINT fk_bulk_action_items_action FOREIGN KEY (bulk_action_id) REFERENCES bulk_actions (id) ON DELETE CASCADE
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_unicode_520_ci;
