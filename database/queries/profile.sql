-- name: get -> row
-- What was spent is what was paid for goods that were kept: an order that nobody pays makes no better customer.
SELECT u.id, u.username, u.email, u.first_name, u.last_name, u.phone, u.role, u.avatar_path, u.newsletter, u.cart_reminders, u.created_at,
       (SELECT CAST(COALESCE(SUM(o.total_minor), 0) AS SIGNED)
          FROM orders o
         WHERE o.user_id = u.id AND o.status <> 'cancelled' AND o.payment_status IN ('paid', 'partly_refunded')) AS spent_minor,
       EXISTS (SELECT 1 FROM totps t WHERE t.user_id = u.id AND t.confirmed_at IS NOT NULL) AS totp
  FROM users u
 WHERE u.id = :user_id;

-- name: get_secret -> row
SELECT id, username, email, password_hash
  FROM users
 WHERE id = :user_id;

-- name: change -> count
-- What is not given stays as it is.
UPDATE users
   SET first_name = COALESCE(:first_name, first_name), last_name = COALESCE(:last_name, last_name), phone = COALESCE(:phone, phone),
       updated_at = UTC_TIMESTAMP(6)
 WHERE id = :user_id;

-- name: change_password -> count
-- Zero rows: the password that was checked is no longer the account's.
UPDATE users
   SET password_hash = :password_hash, updated_at = UTC_TIMESTAMP(6)
 WHERE id = :user_id AND password_hash = :former_hash;

-- name: end_other_sessions -> count
DELETE FROM sessions WHERE user_id = :user_id AND token_hash <> :kept_hash;

-- name: change_email -> count
UPDATE users
   SET email = :email, email_key = :email_key, updated_at = UTC_TIMESTAMP(6)
 WHERE id = :user_id;

-- name: end_challenges -> count
-- A code that went to the former address must not open the account any more.
UPDATE challenges
   SET expires_at = UTC_TIMESTAMP(6)
 WHERE user_id = :user_id AND purpose IN ('reset', 'email') AND expires_at > UTC_TIMESTAMP(6);

-- name: claim_mails -> count
-- Once the address changes it no longer tells whose mails these were; an order tells it of its own. The index ignores case and
-- accents, the second condition does not.
UPDATE mails
   SET user_id = :user_id
 WHERE recipient = :email AND CAST(recipient AS BINARY) = CAST(:email AS BINARY) AND order_id IS NULL;

-- name: lock_avatar -> row
SELECT avatar_path FROM users WHERE id = :user_id FOR UPDATE;

-- name: set_avatar -> count
UPDATE users
   SET avatar_path = :path, updated_at = UTC_TIMESTAMP(6)
 WHERE id = :user_id;

-- name: list_avatars -> rows
-- Those of the given pictures that somebody has.
SELECT avatar_path FROM users WHERE avatar_path IN (:paths) LIMIT 1000;
