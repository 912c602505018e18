-- name: get_state -> row
SELECT status, blocked_until, block_reason, signed_in_at, UTC_TIMESTAMP(6) AS exported_at FROM users WHERE id = :user_id;

-- name: list_notes -> rows
SELECT body, created_at FROM user_notes WHERE user_id = :user_id ORDER BY id LIMIT 1000;

-- name: list_sessions -> rows
SELECT ip, user_agent, created_at, seen_at, expires_at
  FROM sessions
 WHERE user_id = :user_id
 ORDER BY id
 LIMIT 1000;

-- name: list_challenges -> rows
SELECT purpose, email, created_at, expires_at
  FROM challenges
 WHERE user_id = :user_id
 ORDER BY id
 LIMIT 1000;

-- name: list_mails -> rows
SELECT m.id, m.template, m.recipient, m.status, m.created_at, m.sent_at, o.number AS order_number
  FROM mails m
  LEFT JOIN orders o ON o.id = m.order_id
 WHERE m.id IN (:mail_ids)
 ORDER BY m.id
 LIMIT 10000;

-- name: find_mails -> rows
-- Every email to the person: by account, by address (byte for byte: the index alone would take josé's for jose's), by order. What the
-- owner was emailed about their orders is not theirs.
SELECT id FROM mails WHERE user_id = :user_id
 UNION
SELECT id FROM mails WHERE recipient = :email AND CAST(recipient AS BINARY) = CAST(:email AS BINARY) AND order_id IS NULL
 UNION
SELECT m.id FROM orders o JOIN mails m ON m.order_id = o.id WHERE o.user_id = :user_id AND m.template NOT LIKE 'owner%'
 UNION
SELECT m.id
  FROM users u
  JOIN orders o ON o.email_key = u.email_key AND o.user_id IS NULL
  JOIN mails m ON m.order_id = o.id
 WHERE u.id = :user_id AND m.template NOT LIKE 'owner%'
 LIMIT 10000;

-- name: list_payments -> rows
SELECT o.number AS order_number, p.method, p.status, p.amount_minor, p.captured_minor, p.refunded_minor, p.created_at, p.paid_at
  FROM orders o
  JOIN payments p ON p.order_id = o.id
 WHERE o.id IN (:order_ids)
 ORDER BY p.id
 LIMIT 10000;

-- name: list_orders -> rows
-- The person's orders: those of the account, and those of guests who gave its address, which is verified.
SELECT o.id FROM orders o WHERE o.user_id = :user_id
 UNION
SELECT o.id FROM users u JOIN orders o ON o.email_key = u.email_key AND o.user_id IS NULL WHERE u.id = :user_id
 ORDER BY id DESC
 LIMIT 10000;

-- name: claim_orders -> count
-- Orders of guests who gave the account's address, which is verified, are erased with the account.
UPDATE orders SET user_id = :user_id WHERE email_key = :email_key AND user_id IS NULL;

-- name: list_stock_requests -> rows
-- Asked for while signed in, or with the account's address, which is proven to be theirs.
SELECT s.variant_id, s.email, s.created_at
  FROM stock_requests s
 WHERE s.user_id = :user_id OR s.email_key = (SELECT u.email_key FROM users u WHERE u.id = :user_id)
 ORDER BY s.id
 LIMIT 1000;

-- name: delete_stock_requests -> count
DELETE FROM stock_requests WHERE user_id = :user_id OR email_key = :email_key;

-- name: delete_cart -> count
DELETE FROM carts WHERE user_id = :user_id;

-- name: lock_admins -> rows
-- Whoever takes an admin away holds the rows of all, so that two admins cannot leave at once and each count on the other.
SELECT id FROM users WHERE role = 'admin' ORDER BY id LIMIT 1000 FOR UPDATE;

-- name: lock_account -> row
-- Orders and sessions that are being added for the account are waited for, and none comes after.
SELECT id, username, email, email_key, role, avatar_path FROM users WHERE id = :user_id FOR UPDATE;

-- name: list_unfinished_orders -> rows
SELECT id, number
  FROM orders
 WHERE user_id = :user_id AND status IN ('pending', 'placed')
   AND NOT (fulfilment_status = 'delivered' AND payment_status <> 'unpaid')
 ORDER BY id
 LIMIT 10000
   FOR UPDATE;

-- name: anonymise_orders -> count
-- Books are kept by law for years: number, dates, amounts, taxes, lines, ways of payment and delivery stay, and the country, which
-- decides whose tax it was. They do not need who it was: where an invoice is due it is a document of its own and keeps what it says.
-- And no link that was ever mailed opens them any more.
UPDATE orders
   SET email = '', email_key = '', by_guest = FALSE, name = 'erased', line1 = 'erased', line2 = '', city = 'erased', region = '', postcode = 'erased', phone = '', note = ''
 WHERE user_id = :user_id;

-- name: erase_returns -> count
-- What was written to and fro; what came back and when stays with the order.
UPDATE returns r JOIN orders o ON o.id = r.order_id SET r.note = '', r.answer = '' WHERE o.user_id = :user_id;

-- name: erase_tracking -> count
-- A tracking number leads to the carrier's page with the name and the address of the recipient.
UPDATE shipments s JOIN orders o ON o.id = s.order_id SET s.tracking_number = '', s.tracking_url = '' WHERE o.user_id = :user_id;

-- name: delete_gift_card_keys -> count
-- Keys of cards that were given to the person hold a hash of the address.
DELETE k
  FROM idempotency_keys k
  JOIN gift_cards g ON g.id = k.result_id
 WHERE k.scope LIKE 'gift!_card%' ESCAPE '!' AND g.email = :email AND CAST(g.email AS BINARY) = CAST(:email AS BINARY);

-- name: erase_gift_cards -> count
-- Whom a card was given to; the card goes on being money.
UPDATE gift_cards SET email = '' WHERE email = :email AND CAST(email AS BINARY) = CAST(:email AS BINARY);

-- name: delete_order_keys -> count
-- Keys of acts on the person's orders.
DELETE k
  FROM idempotency_keys k
  JOIN orders o ON k.scope IN (CONCAT('return:', o.id), CONCAT('refund:', o.id), CONCAT('payment:', o.id))
 WHERE o.user_id = :user_id;

-- name: delete_placing_keys -> count
-- Keys under which the orders were placed: as a guest, or by staff.
DELETE k FROM idempotency_keys k JOIN orders o ON o.id = k.order_id WHERE o.user_id = :user_id;

-- name: erase_order_mails -> count
-- That an order was confirmed stays on record, to whom and in what words does not; what was not sent yet never is.
UPDATE mails
   SET recipient = '', data = '', last_error = '', user_id = NULL, status = IF(status = 'queued', 'failed', status)
 WHERE id IN (:mail_ids) AND order_id IS NOT NULL;

-- name: delete_mails -> count
DELETE FROM mails WHERE id IN (:mail_ids) AND order_id IS NULL;

-- name: delete_challenges -> count
-- Also sign-ups with this address that never came to an account.
DELETE FROM challenges WHERE user_id = :user_id OR email_key = :email_key;

-- name: delete_keys -> count
DELETE FROM idempotency_keys WHERE scope = :scope;

-- name: delete_account -> count
-- Sessions, addresses, wishes and recommendations go with the row. Zero rows: it is the last admin who can act, and a shop without one is nobody's.
DELETE u
  FROM users u
  JOIN (SELECT COUNT(*) AS others
          FROM users
         WHERE role = 'admin' AND status = 'active' AND (blocked_until IS NULL OR blocked_until <= UTC_TIMESTAMP(6)) AND id <> :user_id) a
    ON u.role <> 'admin' OR a.others > 0
 WHERE u.id = :user_id;
