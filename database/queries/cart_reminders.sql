-- name: list_due -> rows
-- Carts that lie since some hours, and not for so long that a mail would only surprise. Whoever ordered since does not need it.
SELECT c.id, c.version, c.user_id, u.username, u.email
  FROM carts c
  JOIN users u ON u.id = c.user_id
 WHERE c.updated_at <= UTC_TIMESTAMP(6) - INTERVAL :hours HOUR
   AND c.updated_at > UTC_TIMESTAMP(6) - INTERVAL :hours HOUR - INTERVAL :days DAY
   AND c.reminded_at IS NULL
   AND u.cart_reminders AND u.status = 'active' AND (u.blocked_until IS NULL OR u.blocked_until <= UTC_TIMESTAMP(6))
   AND EXISTS (SELECT 1 FROM cart_items i WHERE i.cart_id = c.id)
   AND NOT EXISTS (SELECT 1 FROM orders o WHERE o.user_id = c.user_id AND o.placed_at > c.updated_at)
 ORDER BY c.updated_at
 LIMIT :most;

-- name: claim -> count
-- Zero rows: the cart was ordered or changed since, somebody else reminds of it, or the consent was taken back.
UPDATE carts
   SET reminded_at = UTC_TIMESTAMP(6)
 WHERE id = :cart_id AND version = :version AND reminded_at IS NULL
   AND EXISTS (SELECT 1 FROM users u WHERE u.id = user_id AND u.cart_reminders);

-- name: choose -> count
UPDATE users SET cart_reminders = :wanted WHERE id = :user_id;
