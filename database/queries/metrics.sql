-- name: get_mails -> row
SELECT (SELECT COUNT(*) FROM (SELECT 1 FROM mails WHERE status = 'queued' AND last_error = '' LIMIT :most) a) AS waiting,
       (SELECT COUNT(*) FROM (SELECT 1 FROM mails WHERE status = 'queued' AND last_error <> '' LIMIT :most) b) AS put_off,
       (SELECT COUNT(*) FROM (SELECT 1 FROM mails WHERE status = 'failed' LIMIT :most) c) AS given_up,
       (SELECT GREATEST(0, COALESCE(TIMESTAMPDIFF(SECOND, MIN(due_at), UTC_TIMESTAMP(6)), 0)) FROM mails WHERE status = 'queued') AS oldest;
