-- name: lock -> row
SELECT id, status FROM subscribers WHERE email_key = :email_key FOR UPDATE;

-- name: ask -> count
-- Who gets it already goes on getting it; who had it once is asked again.
INSERT INTO subscribers (email, email_key, status, source, asked_at)
VALUES (:email, :email_key, 'pending', :source, UTC_TIMESTAMP(6))
    ON DUPLICATE KEY UPDATE source = IF(status = 'subscribed', source, VALUES(source)), email = IF(status = 'subscribed', email, VALUES(email)),
       asked_at = IF(status = 'subscribed', asked_at, VALUES(asked_at)), status = IF(status = 'subscribed', status, 'pending');

-- name: confirm -> count
-- Zero rows: asked for too long ago, confirmed already, or ended since.
UPDATE subscribers
   SET status = 'subscribed', confirmed_at = UTC_TIMESTAMP(6), ended_at = NULL
 WHERE id = :subscriber_id AND status = 'pending' AND asked_at > UTC_TIMESTAMP(6) - INTERVAL :days DAY;

-- name: put -> count
-- An account's address is proven, so its owner need not confirm.
INSERT INTO subscribers (email, email_key, status, source, asked_at, confirmed_at)
VALUES (:email, :email_key, 'subscribed', 'account', UTC_TIMESTAMP(6), UTC_TIMESTAMP(6))
    ON DUPLICATE KEY UPDATE source = IF(status = 'subscribed', source, 'account'), confirmed_at = IF(status = 'subscribed', confirmed_at, VALUES(confirmed_at)),
       ended_at = NULL, status = 'subscribed';

-- name: end -> count
UPDATE subscribers SET status = 'unsubscribed', ended_at = UTC_TIMESTAMP(6) WHERE id = :subscriber_id AND status <> 'unsubscribed';

-- name: tell_account -> count
-- An account repeats what its address's subscription is.
UPDATE users u
  JOIN subscribers s ON s.email_key = u.email_key
   SET u.newsletter = (s.status = 'subscribed')
 WHERE s.id = :subscriber_id;

-- name: tell_account_of -> count
UPDATE users u SET u.newsletter = EXISTS (SELECT 1 FROM subscribers s WHERE s.email_key = u.email_key AND s.status = 'subscribed') WHERE u.id = :user_id;

-- name: move -> count
UPDATE subscribers SET email = :email, email_key = :email_key WHERE id = :subscriber_id;

-- name: delete -> count
DELETE FROM subscribers WHERE id IN (:subscriber_ids);

-- name: lock_all -> rows
SELECT id FROM subscribers WHERE id IN (:subscriber_ids) ORDER BY id LIMIT 1000 FOR UPDATE;

-- name: tell_removed -> count
UPDATE users u JOIN subscribers s ON s.email_key = u.email_key SET u.newsletter = FALSE WHERE s.id IN (:subscriber_ids) AND u.newsletter;

-- name: delete_of -> count
DELETE FROM subscribers WHERE email_key = :email_key;

-- name: delete_unconfirmed -> count
DELETE FROM subscribers WHERE status = 'pending' AND asked_at < UTC_TIMESTAMP(6) - INTERVAL :days DAY ORDER BY id LIMIT :limit;

-- name: withdraw -> count
-- What waits in the outbox is not sent after all, unless a worker has it in hand just now.
UPDATE newsletter_mails n
  JOIN mails m ON m.id = n.mail_id
   SET n.status = 'withdrawn', m.status = 'failed', m.data = '', m.last_error = 'Unsubscribed before it was sent.'
 WHERE n.subscriber_id IN (:subscriber_ids) AND n.status = 'queued' AND m.status = 'queued' AND (m.leased_until IS NULL OR m.leased_until <= UTC_TIMESTAMP(6));

-- name: note_unsubscribed -> count
UPDATE newsletter_mails n
  JOIN newsletters l ON l.id = n.newsletter_id
   SET n.unsubscribed_at = UTC_TIMESTAMP(6), l.unsubscribed_count = l.unsubscribed_count + 1
 WHERE n.newsletter_id = :newsletter_id AND n.subscriber_id = :subscriber_id AND n.unsubscribed_at IS NULL;

-- name: get_of -> row
SELECT s.email, s.status, s.source, s.asked_at, s.confirmed_at, s.ended_at
  FROM subscribers s
  JOIN users u ON u.email_key = s.email_key
 WHERE u.id = :user_id;

-- part: wanted
 WHERE (:status IS NULL OR s.status = :status) AND (:beginning IS NULL OR s.email_key LIKE :beginning ESCAPE '!')

-- name: list_all -> rows
-- sort newest: s.id DESC AFTER s.id < :after_id
-- sort oldest: s.id AFTER s.id > :after_id
SELECT s.id, s.email, s.status, s.source, s.asked_at, s.confirmed_at, s.ended_at, u.id AS user_id, u.username
  FROM (SELECT s.id
          FROM subscribers s
         {wanted}
           AND (:after_id IS NULL OR {after})
         ORDER BY {sort}
         LIMIT :limit) page
  JOIN subscribers s ON s.id = page.id
  LEFT JOIN users u ON u.email_key = s.email_key
 ORDER BY {sort};

-- name: count_all -> value
SELECT COUNT(*) FROM (SELECT 1 FROM subscribers s {wanted} LIMIT :most) found;
