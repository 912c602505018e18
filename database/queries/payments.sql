-- name: add -> id
INSERT INTO payments (order_id, method, amount_minor, currency, gateway_id, created_at)
VALUES (:order_id, :method, :amount_minor, :currency, :gateway_id, UTC_TIMESTAMP(6));

-- name: note_paid -> count
UPDATE payments SET status = 'paid', captured_minor = :amount_minor, paid_at = UTC_TIMESTAMP(6) WHERE id = :payment_id AND status IN ('pending', 'abandoned');

-- name: get_unbegun -> row
-- The payment whose page is still to be opened. Not long after it was added: its page's end is counted from then, and may not be too near.
SELECT p.id, p.amount_minor, p.currency, p.created_at + INTERVAL :page_minutes MINUTE AS expires_at, o.number, o.email, o.user_id
  FROM payments p
  JOIN orders o ON o.id = p.order_id
 WHERE o.number = :number AND o.status = 'pending' AND o.pay_by > UTC_TIMESTAMP(6)
   AND p.method = :method AND p.status = 'pending' AND p.redirect_url = '' AND p.created_at > UTC_TIMESTAMP(6) - INTERVAL :minutes MINUTE
 ORDER BY p.id DESC
 LIMIT 1;

-- name: note_begun -> count
UPDATE payments SET gateway_id = :gateway_id, redirect_url = :redirect_url WHERE id = :payment_id AND status = 'pending' AND redirect_url = '';

-- name: get_usable -> value
-- The payment of an order that its buyer can still go on with: its page is open, or can still be opened.
SELECT id
  FROM payments
 WHERE order_id = :order_id AND method = :method AND status = 'pending'
   AND created_at > UTC_TIMESTAMP(6) - INTERVAL IF(redirect_url = '', :minutes, :page_minutes) MINUTE
 ORDER BY id DESC
 LIMIT 1;

-- name: abandon_others -> count
-- Those whose page was never seen by anybody.
UPDATE payments SET status = 'abandoned' WHERE order_id = :order_id AND status = 'pending' AND redirect_url = '';

-- name: abandon -> count
UPDATE payments SET status = 'abandoned' WHERE id = :payment_id AND status = 'pending';

-- name: list_pages -> rows
SELECT order_id, redirect_url FROM payments WHERE order_id IN (:order_ids) AND status = 'pending' AND redirect_url <> '' ORDER BY order_id, id LIMIT 1000;

-- part: columns
SELECT p.id, p.order_id, p.method, p.status, p.amount_minor, p.currency, p.gateway_id, p.gateway_charge, o.number, o.status AS order_status

-- name: get -> row
{columns}
  FROM payments p
  JOIN orders o ON o.id = p.order_id
 WHERE p.id = :payment_id;

-- name: get_by_gateway -> row
{columns}
  FROM payments p
  JOIN orders o ON o.id = p.order_id
 WHERE p.gateway_id = :gateway_id;

-- name: note_gateway -> count
UPDATE payments SET gateway_id = :gateway_id, gateway_charge = :gateway_charge WHERE id = :payment_id;

-- name: note_unwanted -> count
UPDATE payments
   SET status = 'unwanted', captured_minor = amount_minor, paid_at = UTC_TIMESTAMP(6), checked_at = NULL
 WHERE id = :payment_id AND status IN ('pending', 'abandoned');

-- name: note_returned -> count
UPDATE payments SET status = 'returned', refunded_minor = captured_minor WHERE id = :payment_id AND status = 'unwanted';

-- name: add_event -> count
-- Zero rows: this event was heard before.
INSERT IGNORE INTO payment_events (id, payment_id, kind, received_at) VALUES (:event_id, :payment_id, :kind, UTC_TIMESTAMP(6));

-- name: list_due -> rows
-- Payments of a kind that nobody asked the gateway about lately, those that waited longest first.
SELECT id
  FROM payments
 WHERE status = :status AND method = :method AND created_at < UTC_TIMESTAMP(6) - INTERVAL :age SECOND
   AND (checked_at IS NULL OR checked_at < UTC_TIMESTAMP(6) - INTERVAL :pause SECOND)
 ORDER BY checked_at, id
 LIMIT :most;

-- name: lease -> count
UPDATE payments
   SET checked_at = UTC_TIMESTAMP(6)
 WHERE id = :payment_id AND status = :status AND (checked_at IS NULL OR checked_at < UTC_TIMESTAMP(6) - INTERVAL :pause SECOND);
