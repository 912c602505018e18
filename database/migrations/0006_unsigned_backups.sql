-- The restore of a backup that this shop did not sign is confirmed for one manifest.

-- step: column backup_tasks.trusted_digest
ALTER TABLE backup_tasks
  ADD COLUMN trusted_digest CHAR(64) CHARACTER SET ascii COLLATE ascii_bin NULL COMMENT 'keep' AFTER user_id;
