-- part: newsletter
SELECT id, subject, status, recommend, version, reader_count, written_count, sent_count, failed_count, unsubscribed_count,
       created_at, updated_at, started_at, finished_at

-- name: list_all -> rows
{newsletter}
  FROM newsletters
 WHERE (:status IS NULL OR status = :status) AND (:words IS NULL OR subject LIKE :words ESCAPE '!') AND (:after_id IS NULL OR id < :after_id)
 ORDER BY id DESC
 LIMIT :limit;

-- name: count_all -> value
SELECT COUNT(*)
  FROM (SELECT 1 FROM newsletters WHERE (:status IS NULL OR status = :status) AND (:words IS NULL OR subject LIKE :words ESCAPE '!') LIMIT 10000) found;

-- name: get -> row
{newsletter}, markdown, after_id, up_to_id
  FROM newsletters
 WHERE id = :newsletter_id;

-- name: count_readers -> value
SELECT COUNT(*) FROM subscribers WHERE status = 'subscribed';

-- name: count_waiting -> value
SELECT COUNT(*) FROM (SELECT 1 FROM newsletter_mails WHERE status = 'queued' AND newsletter_id = :newsletter_id LIMIT 10000) waiting;

-- name: add -> id
INSERT INTO newsletters (subject, markdown, recommend, created_at, updated_at)
VALUES (:subject, :markdown, :recommend, UTC_TIMESTAMP(6), UTC_TIMESTAMP(6));

-- name: change -> count
-- Zero rows: somebody else saved meanwhile, or it is on its way to its readers. What is not given stays as it is.
UPDATE newsletters
   SET subject = COALESCE(:subject, subject), markdown = COALESCE(:markdown, markdown), recommend = COALESCE(:recommend, recommend),
       version = version + 1, updated_at = UTC_TIMESTAMP(6)
 WHERE id = :newsletter_id AND version = :version AND status = 'draft';

-- name: delete -> count
DELETE FROM newsletters WHERE id = :newsletter_id AND status = 'draft';

-- name: start -> count
-- Readers who come later get the next one.
UPDATE newsletters
   SET status = 'sending', started_at = UTC_TIMESTAMP(6), version = version + 1, updated_at = UTC_TIMESTAMP(6), reader_count = :readers,
       up_to_id = (SELECT COALESCE(MAX(s.id), 0) FROM subscribers s)
 WHERE id = :newsletter_id AND version = :version AND status = 'draft';

-- name: set_status -> count
UPDATE newsletters
   SET status = :status, version = version + 1, updated_at = UTC_TIMESTAMP(6)
 WHERE id = :newsletter_id AND status = :former;

-- name: list_sending -> rows
SELECT id FROM newsletters WHERE status = 'sending' ORDER BY id LIMIT 10;

-- name: any_to_do -> value
-- Readers without their mail, or mails that went out and are not counted.
SELECT EXISTS (SELECT 1 FROM newsletters WHERE status = 'sending')
    OR EXISTS (SELECT 1 FROM newsletter_mails n JOIN mails m ON m.id = n.mail_id WHERE n.status = 'queued' AND m.status <> 'queued');

-- name: count_in_outbox -> value
-- Those that are tried again later are not what the others wait for.
SELECT COUNT(*)
  FROM (SELECT 1 FROM newsletter_mails n JOIN mails m ON m.id = n.mail_id WHERE n.status = 'queued' AND m.status = 'queued' AND m.last_error = '' LIMIT 1000) waiting;

-- name: list_readers -> rows
SELECT s.id, u.id AS user_id
  FROM subscribers s
  LEFT JOIN users u ON u.email_key = s.email_key
 WHERE s.status = 'subscribed' AND s.id > :after_id AND s.id <= :up_to_id
 ORDER BY s.id
 LIMIT :limit;

-- name: advance -> count
-- Zero rows: another worker wrote to these readers, or it was paused.
UPDATE newsletters SET after_id = :last_id WHERE id = :newsletter_id AND status = 'sending' AND after_id = :after_id;

-- name: lock_readers -> rows
-- Whoever unsubscribes at this moment does so before, and gets none, or after, and theirs is withdrawn.
SELECT id, email FROM subscribers WHERE id IN (:subscriber_ids) AND status = 'subscribed' ORDER BY id LIMIT 1000 FOR UPDATE;

-- name: add_mails -> count
-- The primary key lets nobody be written to twice.
INSERT INTO newsletter_mails (newsletter_id, subscriber_id, mail_id)
SELECT :newsletter_id, made.subscriber_id, made.mail_id
  FROM JSON_TABLE(:pairs, '$[*]' COLUMNS (subscriber_id BIGINT UNSIGNED PATH '$[0]', mail_id BIGINT UNSIGNED PATH '$[1]')) made;

-- name: count_written -> count
UPDATE newsletters SET written_count = written_count + :written WHERE id = :newsletter_id;

-- name: finish -> count
UPDATE newsletters
   SET status = 'sent', finished_at = UTC_TIMESTAMP(6), version = version + 1
 WHERE id = :newsletter_id AND status = 'sending' AND after_id = :after_id;

-- name: list_settled -> rows
SELECT n.newsletter_id, n.subscriber_id, m.status
  FROM newsletter_mails n
  JOIN mails m ON m.id = n.mail_id
 WHERE n.status = 'queued' AND m.status <> 'queued'
 ORDER BY n.newsletter_id, n.subscriber_id
 LIMIT :limit;

-- name: settle -> count
UPDATE newsletter_mails SET status = :status WHERE newsletter_id = :newsletter_id AND subscriber_id IN (:subscriber_ids) AND status = 'queued';

-- name: count_settled -> count
UPDATE newsletters SET sent_count = sent_count + :sent, failed_count = failed_count + :failed WHERE id = :newsletter_id;

-- name: note_retried -> count
-- A mail that staff have tried again waits once more.
UPDATE newsletter_mails n
  JOIN newsletters l ON l.id = n.newsletter_id
   SET n.status = 'queued', l.failed_count = l.failed_count - 1
 WHERE n.mail_id = :mail_id AND n.status = 'failed';

-- name: list_long_ago -> rows
-- Who got them is not kept for ever; how many they were is.
SELECT l.id
  FROM newsletters l
 WHERE l.finished_at < UTC_TIMESTAMP(6) - INTERVAL :days DAY AND EXISTS (SELECT 1 FROM newsletter_mails n WHERE n.newsletter_id = l.id)
 ORDER BY l.id
 LIMIT 100;

-- name: delete_mails -> count
DELETE FROM newsletter_mails WHERE newsletter_id = :newsletter_id ORDER BY subscriber_id LIMIT :limit;
