-- name: request -> id
INSERT INTO invoice_requests (order_id, created_at) VALUES (:order_id, UTC_TIMESTAMP(6));

-- name: request_credit_note -> id
INSERT INTO invoice_requests (order_id, refund_id, created_at) SELECT order_id, id, UTC_TIMESTAMP(6) FROM refunds WHERE id = :refund_id;

-- name: list_requests -> rows
SELECT id FROM invoice_requests ORDER BY id LIMIT :most;

-- name: get_request -> row
SELECT id, order_id, refund_id FROM invoice_requests WHERE id = :request_id;

-- name: drop_request -> count
DELETE FROM invoice_requests WHERE id = :request_id;

-- name: lock_counter -> row
-- Whoever issues a document holds its kind's counter until the document stands, so that no number is given twice or left out.
SELECT value, UTC_TIMESTAMP(6) AS today FROM counters WHERE name = :kind FOR UPDATE;

-- name: start_counter -> count
INSERT IGNORE INTO counters (name, value) VALUES (:kind, 0);

-- name: count -> count
UPDATE counters SET value = :number WHERE name = :kind;

-- name: add -> id
INSERT INTO invoices (kind, number, order_id, refund_id, document, sha256, issued_at)
VALUES (:kind, :number, :order_id, :refund_id, :document, :sha256, :issued_at);

-- name: get_number -> value
SELECT number FROM invoices WHERE order_id = :order_id AND kind = :kind AND (:refund_id IS NULL OR refund_id = :refund_id) ORDER BY id LIMIT 1;

-- name: find_issued -> row
SELECT id, number FROM invoices WHERE order_id = :order_id AND kind = 'invoice' ORDER BY id LIMIT 1;

-- name: get_document -> row
SELECT i.kind, i.number, i.document, i.sha256
  FROM invoices i
 WHERE i.order_id = :order_id AND i.kind = :kind AND (:number IS NULL OR i.number = :number)
 ORDER BY i.id
 LIMIT 1;

-- name: list_of -> rows
SELECT order_id, kind, number, issued_at FROM invoices WHERE order_id IN (:order_ids) ORDER BY order_id, id LIMIT 10000;

-- name: get_paid_at -> value
SELECT MIN(at) FROM order_events WHERE order_id = :order_id AND kind = 'paid';

-- name: get_refund -> row
SELECT id, payment_minor, gift_card_minor, shipping_minor, reason FROM refunds WHERE id = :refund_id;

-- name: list_refunded -> rows
SELECT i.title, i.options, i.sku, i.tax_rate_bp, r.quantity, r.amount_minor
  FROM refund_items r
  JOIN order_items i ON i.id = r.order_item_id
 WHERE r.refund_id = :refund_id
 ORDER BY i.position
 LIMIT 100;
