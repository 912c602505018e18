-- An import stores its plan and applies it in small transactions. A new status tells a plan that is being applied from one that is being made.

-- step: table import_chunks
CREATE TABLE import_chunks (
    import_id      BIGINT UNSIGNED NOT NULL COMMENT 'keep',
    position       INT UNSIGNED    NOT NULL COMMENT 'keep',
    product_count  INT UNSIGNED    NOT NULL COMMENT 'keep',
    products       MEDIUMTEXT      NOT NULL COMMENT 'keep',
    PRIMARY KEY (import_id, position),
    CONSTRAINT fk_import_chunks_import FOREIGN KEY (import_id) REFERENCES imports (id) ON DELETE CASCADE
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_unicode_520_ci;

-- step: column imports.attempt
ALTER TABLE imports ADD COLUMN attempt INT UNSIGNED NOT NULL DEFAULT 0 COMMENT 'keep' AFTER done;

-- step: column imports.applied
ALTER TABLE imports ADD COLUMN applied INT UNSIGNED NOT NULL DEFAULT 0 COMMENT 'keep' AFTER attempt;

-- step: no constraint imports.ck_imports_status
ALTER TABLE imports DROP CONSTRAINT ck_imports_status;

-- step: constraint imports.ck_imports_status
ALTER TABLE imports ADD CONSTRAINT ck_imports_status
CHECK (status IN ('checking', 'refused', 'checked', 'waiting', 'running', 'applying', 'done', 'failed'));
