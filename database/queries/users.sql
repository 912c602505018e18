-- part: columns
u.id, u.username, u.email, u.first_name, u.last_name, u.phone, u.role, u.status, u.newsletter, u.signed_in_at, u.created_at,
       IF(u.blocked_until > UTC_TIMESTAMP(6), u.blocked_until, NULL) AS blocked_until,
       IF(u.blocked_until > UTC_TIMESTAMP(6), u.block_reason, '') AS block_reason,
       EXISTS (SELECT 1 FROM totps t WHERE t.user_id = u.id AND t.confirmed_at IS NOT NULL) AS totp,
       (SELECT COUNT(*) FROM orders o WHERE o.user_id = u.id AND o.status NOT IN ('cancelled', 'expired')) AS order_count,
       (SELECT CAST(COALESCE(SUM(o.total_minor), 0) AS SIGNED) FROM orders o WHERE o.user_id = u.id AND o.status <> 'cancelled' AND o.payment_status IN ('paid', 'partly_refunded')) AS spent_minor

-- part: wanted
-- Filters that are not asked for are constants to the optimiser. Inactive is a customer who never ordered and did not
-- sign in for so many months; that is looked up for each, where NOT EXISTS would first read the orders of everybody.
 WHERE u.id BETWEEN :first AND :last
   AND (:any_id OR u.id IN (:ids))
   AND (:role IS NULL OR u.role = :role)
   AND (:status IS NULL OR u.status = :status)
   AND (NOT :blocked OR u.blocked_until > UTC_TIMESTAMP(6))
   AND (NOT :unblocked OR u.blocked_until IS NULL OR u.blocked_until <= UTC_TIMESTAMP(6))
   AND (:newsletter IS NULL OR u.newsletter = :newsletter)
   AND (:since IS NULL OR u.created_at >= :since)
   AND (:before IS NULL OR u.created_at < :before)
   AND (:months = 0 OR u.role = 'customer'
                       AND u.created_at < UTC_TIMESTAMP(6) - INTERVAL :months MONTH
                       AND (u.signed_in_at IS NULL OR u.signed_in_at < UTC_TIMESTAMP(6) - INTERVAL :months MONTH)
                       AND (SELECT b.id FROM orders b WHERE b.user_id = u.id LIMIT 1) IS NULL
                       AND (SELECT s.id FROM sessions s WHERE s.user_id = u.id AND s.seen_at >= UTC_TIMESTAMP(6) - INTERVAL :months MONTH LIMIT 1) IS NULL)

-- name: get -> row
SELECT {columns}, u.avatar_path, UTC_TIMESTAMP(6) AS now
  FROM users u
 WHERE u.id = :user_id;

-- name: get_first_since -> value
SELECT id FROM users WHERE created_at >= :since ORDER BY created_at, id LIMIT 1;

-- name: get_last_before -> value
SELECT id FROM users WHERE created_at < :before ORDER BY created_at DESC, id DESC LIMIT 1;

-- name: find -> rows
-- By the beginning of a username or an address, each by its index; of very many the latest are taken.
SELECT found.id
  FROM ((SELECT n.id FROM users n WHERE n.username_key LIKE :name ESCAPE '!' LIMIT :most)
         UNION
        (SELECT e.id FROM users e WHERE e.email_key LIKE :address ESCAPE '!' LIMIT :most)) found
 ORDER BY found.id DESC
 LIMIT :most;

-- name: list_all -> rows
-- The page is cut first; only its rows are then dressed.
-- sort newest: u.id DESC AFTER u.id < :after_id
-- sort oldest: u.id AFTER u.id > :after_id
-- sort name: u.username_key AFTER u.username_key > :after
-- sort name_desc: u.username_key DESC AFTER u.username_key < :after
SELECT {columns}, u.username_key
  FROM (SELECT u.id
          FROM users u
         {wanted}
           AND (:after_id IS NULL OR {after})
         ORDER BY {sort}
         LIMIT :limit) page
  JOIN users u ON u.id = page.id
 ORDER BY {sort};

-- name: count_all -> value
SELECT COUNT(*) FROM (SELECT 1 FROM users u {wanted} ORDER BY u.id LIMIT :most) counted;

-- name: list_wanted -> rows
-- A bulk act goes through all that match by id, so that nothing it changes can make it miss or meet one twice.
SELECT u.id
  FROM users u
{wanted}
   AND u.id > :after_id
 ORDER BY u.id
 LIMIT :limit;

-- name: list_exported -> rows
SELECT {columns}
  FROM (SELECT u.id
          FROM users u
         {wanted}
           AND u.id > :after_id
         ORDER BY u.id
         LIMIT :limit) page
  JOIN users u ON u.id = page.id
 ORDER BY u.id;

-- name: has_admin -> value
SELECT 1 FROM users WHERE id IN (:ids) AND role = 'admin' LIMIT 1;

-- name: get_time -> value
SELECT UTC_TIMESTAMP(6);

-- name: lock_admins -> rows
SELECT id FROM users WHERE role = 'admin' ORDER BY id LIMIT 1000 FOR UPDATE;

-- name: lock_all -> rows
SELECT u.id, u.username, u.email, u.first_name, u.last_name, u.phone, u.role, u.status, UTC_TIMESTAMP(6) AS now,
       IF(u.blocked_until > UTC_TIMESTAMP(6), u.blocked_until, NULL) AS blocked_until,
       IF(u.blocked_until > UTC_TIMESTAMP(6), u.block_reason, '') AS block_reason
  FROM users u
 WHERE u.id IN (:ids)
 ORDER BY u.id
 LIMIT 500
   FOR UPDATE;

-- name: change_other -> count
-- Of an account that is no admin. What `change` looks at besides it would lock the rows of all admins, who could not sign in meanwhile.
UPDATE users
   SET first_name = :first_name, last_name = :last_name, phone = :phone, role = :role, status = :status,
       blocked_until = :blocked_until, block_reason = :block_reason, updated_at = UTC_TIMESTAMP(6)
 WHERE id = :user_id AND role <> 'admin';

-- name: change -> count
-- Zero rows: it would leave no admin who can act. Another one can, or this account stays one who can, or it was none.
UPDATE users u
  JOIN (SELECT COUNT(*) AS others
          FROM users
         WHERE role = 'admin' AND status = 'active' AND (blocked_until IS NULL OR blocked_until <= UTC_TIMESTAMP(6)) AND id <> :user_id) a
    ON a.others > 0 OR u.role <> 'admin' OR (:role = 'admin' AND :status = 'active' AND :blocked_until IS NULL)
   SET u.first_name = :first_name, u.last_name = :last_name, u.phone = :phone, u.role = :role, u.status = :status,
       u.blocked_until = :blocked_until, u.block_reason = :block_reason, u.updated_at = UTC_TIMESTAMP(6)
 WHERE u.id = :user_id;

-- name: note_sign_in -> count
UPDATE users SET signed_in_at = UTC_TIMESTAMP(6) WHERE id = :user_id;

-- name: list_orders -> rows
SELECT number, status, payment_status, fulfilment_status, total_minor, currency, placed_at
  FROM orders
 WHERE user_id = :user_id
 ORDER BY id DESC
 LIMIT :most;

-- name: list_tickets -> rows
SELECT number, subject, status, updated_at FROM tickets WHERE user_id = :user_id ORDER BY id DESC LIMIT :most;

-- name: list_reviews -> rows
SELECT r.id, r.rating, r.title, r.status, r.created_at, p.title AS product, p.slug
  FROM reviews r
  JOIN products p ON p.id = r.product_id
 WHERE r.user_id = :user_id
 ORDER BY r.id DESC
 LIMIT :most;

-- name: list_gift_cards -> rows
-- Bought in the person's orders, or given to their address, byte for byte.
SELECT g.id, g.last_letters, g.initial_minor, g.balance_minor, g.currency, g.expires_at, g.voided_at, g.created_at
  FROM (SELECT g.id
          FROM gift_cards g
         WHERE g.email = :email AND CAST(g.email AS BINARY) = CAST(:email AS BINARY)
         UNION
        SELECT g.id
          FROM orders o
          JOIN order_items i ON i.order_id = o.id
          JOIN gift_cards g ON g.order_item_id = i.id
         WHERE o.user_id = :user_id
         ORDER BY id DESC
         LIMIT :most) theirs
  JOIN gift_cards g ON g.id = theirs.id
 ORDER BY g.id DESC;

-- name: list_events -> rows
-- What happened to the account, by whom.
SELECT e.id, e.at, e.kind, a.username AS actor
  FROM events e
  LEFT JOIN users a ON a.id = e.actor_id
 WHERE e.subject_kind = 'user' AND e.subject_id = :user_id
 ORDER BY e.id DESC
 LIMIT :most;

-- name: list_notes -> rows
SELECT n.id, n.body, n.created_at, a.username AS author
  FROM user_notes n
  LEFT JOIN users a ON a.id = n.author_id
 WHERE n.user_id = :user_id
 ORDER BY n.id DESC
 LIMIT 200;

-- name: add_note -> count
-- Zero rows: there is no such account.
INSERT INTO user_notes (user_id, author_id, body, created_at)
SELECT u.id, :author_id, :body, UTC_TIMESTAMP(6) FROM users u WHERE u.id = :user_id;

-- name: delete_note -> count
DELETE FROM user_notes WHERE id = :note_id AND user_id = :user_id;
