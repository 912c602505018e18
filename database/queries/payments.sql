-- name: add -> id
INSERT INTO payments (order_id, method, amount_minor, currency, gateway_id, created_at)
VALUES (:order_id, :method, :amount_minor, :currency, :gateway_id, UTC_TIMESTAMP(6));

-- name: note_paid -> count
UPDATE payments SET status = 'paid', captured_minor = :amount_minor, paid_at = UTC_TIMESTAMP(6) WHERE id = :payment_id AND status IN ('pending', 'abandoned');

-- name: get_unbegun -> row
-- The payment whose page is still to be opened. Not long after it was added: its page's end is counted from then, and may not be too near.
SELECT p.id, p.amount_minor, p.currency, p.created_at + INTERVAL :page_minutes MINUTE AS expires_at, o.number, o.email, o.user_id, o.by_guest
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
-- What came may not be what was asked for; what goes back is what came.
UPDATE payments
   SET status = 'unwanted', amount_minor = :amount_minor, captured_minor = :amount_minor, currency = :currency, paid_at = UTC_TIMESTAMP(6), checked_at = NULL
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

-- part: row
SELECT p.id, p.method, p.status, p.amount_minor, p.captured_minor, p.refunded_minor, p.currency, p.gateway_id, p.gateway_charge,
       p.created_at, p.paid_at, p.checked_at, o.number AS order_number, o.status AS order_status, o.due_minor,
       EXISTS (SELECT 1 FROM refunds f WHERE f.payment_id = p.id AND f.status = 'failed') AS refund_failed

-- part: wanted
-- What needs somebody is money that fits no order, and money that the gateway did not give back.
 WHERE (:status IS NULL OR p.status = :status)
   AND (:method IS NULL OR p.method = :method)
   AND (NOT :troubled OR p.status = 'unwanted' OR p.id IN (SELECT f.payment_id FROM refunds f WHERE f.status = 'failed'))
   AND (:gateway IS NULL
        OR p.gateway_id LIKE :gateway ESCAPE '!'
        OR p.gateway_charge LIKE :gateway ESCAPE '!'
        OR p.order_id IN (SELECT o.id FROM orders o WHERE o.number LIKE :number ESCAPE '!'))

-- name: list_all -> rows
-- The page is cut first; only its rows are then dressed.
-- sort created: p.created_at DESC, p.id DESC AFTER (p.created_at < :after OR p.created_at = :after AND p.id < :after_id)
-- sort created_asc: p.created_at, p.id AFTER (p.created_at > :after OR p.created_at = :after AND p.id > :after_id)
-- sort amount: p.amount_minor, p.id AFTER (p.amount_minor > :after OR p.amount_minor = :after AND p.id > :after_id)
-- sort amount_desc: p.amount_minor DESC, p.id DESC AFTER (p.amount_minor < :after OR p.amount_minor = :after AND p.id < :after_id)
{row}
  FROM (SELECT p.id
          FROM payments p
         {wanted}
           AND (:after_id IS NULL OR {after})
         ORDER BY {sort}
         LIMIT :limit) page
  JOIN payments p ON p.id = page.id
  JOIN orders o ON o.id = p.order_id
 ORDER BY {sort};

-- name: count_all -> value
SELECT COUNT(*)
  FROM payments p
{wanted};

-- name: get_row -> row
{row}
  FROM payments p
  JOIN orders o ON o.id = p.order_id
 WHERE p.id = :payment_id;

-- name: list_refunds -> rows
SELECT id, status, payment_minor AS amount_minor, reason, gateway_id, attempts, created_at, done_at
  FROM refunds
 WHERE payment_id = :payment_id
 ORDER BY id
 LIMIT 1000;

-- name: list_heard -> rows
SELECT id, kind, received_at FROM payment_events WHERE payment_id = :payment_id ORDER BY received_at, id LIMIT 200;

-- name: list_refusals_of -> rows
SELECT e.id, e.at, e.detail
  FROM events e
  JOIN payments p ON e.subject_kind = 'order' AND e.subject_id = p.order_id
 WHERE p.id = :payment_id AND e.kind = 'payment_refused'
 ORDER BY e.id DESC
 LIMIT 200;

-- name: list_refusals -> rows
-- Of everybody, the newest first.
SELECT e.id, e.at, e.detail, IF(e.subject_kind = 'order', o.number, NULL) AS order_number
  FROM events e
  LEFT JOIN orders o ON e.subject_kind = 'order' AND o.id = e.subject_id
 WHERE e.kind = 'payment_refused' AND (:after_id IS NULL OR e.id < :after_id)
 ORDER BY e.id DESC
 LIMIT :limit;
