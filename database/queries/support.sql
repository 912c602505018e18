-- name: lock_person -> row
-- Whoever writes holds their account's row, so that nothing is written after an erasure.
SELECT id, email, username FROM users WHERE id = :user_id FOR UPDATE;

-- name: add -> id
INSERT INTO tickets (number, user_id, order_id, subject, created_at, updated_at)
VALUES (:number, :user_id, :order_id, :subject, UTC_TIMESTAMP(6), UTC_TIMESTAMP(6));

-- name: add_message -> id
INSERT INTO ticket_messages (ticket_id, author_id, kind, body, created_at) VALUES (:ticket_id, :author_id, :kind, :body, UTC_TIMESTAMP(6));

-- part: ticket
SELECT t.id, t.number, t.user_id, t.order_id, t.subject, t.status, t.created_at, t.updated_at, o.number AS order_number

-- name: list_of_user -> rows
{ticket}
  FROM tickets t
  LEFT JOIN orders o ON o.id = t.order_id
 WHERE t.user_id = :user_id AND (:after_id IS NULL OR t.id < :after_id)
 ORDER BY t.id DESC
 LIMIT :limit;

-- name: count_of_user -> rows
SELECT status, COUNT(*) AS count FROM tickets WHERE user_id = :user_id GROUP BY status;

-- name: get -> row
{ticket}
  FROM tickets t
  LEFT JOIN orders o ON o.id = t.order_id
 WHERE t.number = :number AND t.user_id = :user_id;

-- name: lock -> row
-- A conversation that grew beyond all measure goes on in another ticket.
SELECT t.id, t.number, t.user_id, t.order_id, t.subject, t.status,
       (SELECT COUNT(*) FROM ticket_messages m WHERE m.ticket_id = t.id) AS message_count
  FROM tickets t
 WHERE t.number = :number
   FOR UPDATE;

-- name: list_messages -> rows
SELECT m.ticket_id, m.id, m.kind, m.body, m.created_at, u.username AS author
  FROM ticket_messages m
  LEFT JOIN users u ON u.id = m.author_id
 WHERE m.ticket_id IN (:ticket_ids)
 ORDER BY m.ticket_id, m.id
 LIMIT 100000;

-- name: set_status -> count
UPDATE tickets SET status = :status, updated_at = UTC_TIMESTAMP(6) WHERE id = :ticket_id;

-- name: assign -> count
UPDATE tickets SET assignee_id = :assignee_id WHERE id = :ticket_id;

-- name: delete_keys -> count
DELETE k FROM idempotency_keys k JOIN tickets t ON k.scope = CONCAT('ticket:', t.id) WHERE t.user_id = :user_id;

-- part: wanted
-- Words are looked for in the latest `reach` tickets and no further, so that no search reads all there are.
  FROM (SELECT t.id
          FROM tickets t
         WHERE (:status IS NULL OR t.status = :status) AND (:assignee_id IS NULL OR t.assignee_id = :assignee_id)
           AND (:after_id IS NULL OR t.updated_at < :after OR t.updated_at = :after AND t.id < :after_id)
         ORDER BY t.updated_at DESC, t.id DESC
         LIMIT :reach) late
  JOIN tickets t ON t.id = late.id
  JOIN users u ON u.id = t.user_id
  LEFT JOIN users a ON a.id = t.assignee_id
  LEFT JOIN orders o ON o.id = t.order_id
 WHERE (:words IS NULL OR t.subject LIKE :words ESCAPE '!' OR u.username LIKE :words ESCAPE '!' OR u.email LIKE :words ESCAPE '!'
        OR t.number LIKE :words ESCAPE '!' OR o.number LIKE :words ESCAPE '!')

-- name: list_for_staff -> rows
{ticket}, u.username, u.email, a.username AS assignee
{wanted}
 ORDER BY t.updated_at DESC, t.id DESC
 LIMIT :limit;

-- name: count_for_staff -> value
SELECT COUNT(*)
{wanted};

-- name: get_for_staff -> row
{ticket}, u.username, u.email, a.username AS assignee
  FROM tickets t
  JOIN users u ON u.id = t.user_id
  LEFT JOIN users a ON a.id = t.assignee_id
  LEFT JOIN orders o ON o.id = t.order_id
 WHERE t.number = :number;

-- name: list_canned -> rows
SELECT id, title, body FROM canned_replies ORDER BY title LIMIT 200;

-- name: add_canned -> id
INSERT INTO canned_replies (title, body) VALUES (:title, :body);

-- name: delete_canned -> count
DELETE FROM canned_replies WHERE id = :canned_id;

-- name: lock_canned -> row
SELECT id FROM canned_replies WHERE id = :canned_id FOR UPDATE;

-- name: change_canned -> count
UPDATE canned_replies SET title = :title, body = :body WHERE id = :canned_id;
