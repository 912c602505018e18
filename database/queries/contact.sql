-- name: add -> id
INSERT INTO contact_messages (user_id, name, email, email_key, subject, body, created_at)
VALUES (:user_id, :name, :email, :email_key, :subject, :body, UTC_TIMESTAMP(6));

-- name: list_of -> rows
-- Written while signed in, or with the account's address.
SELECT c.id, c.name, c.email, c.subject, c.body, c.status, c.created_at
  FROM contact_messages c
 WHERE c.user_id = :user_id OR c.email_key = (SELECT u.email_key FROM users u WHERE u.id = :user_id)
 ORDER BY c.id
 LIMIT 10000;

-- name: delete_of -> count
DELETE FROM contact_messages WHERE user_id = :user_id OR email_key = :email_key;

-- part: message
SELECT c.id, c.name, c.email, c.subject, c.body, c.status, c.created_at, u.username

-- part: wanted
-- Words are looked for in the latest `reach` messages and no further, so that no search reads all there are.
  FROM (SELECT m.id
          FROM contact_messages m
         WHERE (:status IS NULL OR m.status = :status) AND (:after_id IS NULL OR m.id < :after_id)
         ORDER BY m.id DESC
         LIMIT :reach) late
  JOIN contact_messages c ON c.id = late.id
  LEFT JOIN users u ON u.id = c.user_id
 WHERE (:words IS NULL OR c.subject LIKE :words ESCAPE '!' OR c.name LIKE :words ESCAPE '!' OR c.email LIKE :words ESCAPE '!')

-- name: list_all -> rows
{message}
{wanted}
 ORDER BY c.id DESC
 LIMIT :limit;

-- name: count_all -> value
SELECT COUNT(*)
{wanted};

-- name: get -> row
{message}
  FROM contact_messages c
  LEFT JOIN users u ON u.id = c.user_id
 WHERE c.id = :message_id;

-- name: lock -> row
SELECT id, user_id, email, subject, body, status FROM contact_messages WHERE id = :message_id FOR UPDATE;

-- name: set_status -> count
UPDATE contact_messages SET status = :status WHERE id = :message_id;

-- name: add_answer -> id
INSERT INTO contact_answers (contact_message_id, author_id, body, created_at) VALUES (:message_id, :author_id, :body, UTC_TIMESTAMP(6));

-- name: count_answers -> value
SELECT COUNT(*) FROM contact_answers WHERE contact_message_id = :message_id;

-- name: list_answers -> rows
SELECT a.contact_message_id AS message_id, a.id, u.username AS author, a.body, a.created_at
  FROM contact_answers a
  LEFT JOIN users u ON u.id = a.author_id
 WHERE a.contact_message_id IN (:message_ids)
 ORDER BY a.contact_message_id, a.id
 LIMIT 100000;
