-- name: add -> id
INSERT INTO payments (order_id, method, amount_minor, currency, gateway_id, created_at)
VALUES (:order_id, :method, :amount_minor, :currency, :gateway_id, UTC_TIMESTAMP(6));

-- name: note_paid -> count
UPDATE payments SET status = 'paid', captured_minor = :amount_minor, paid_at = UTC_TIMESTAMP(6) WHERE id = :payment_id AND status <> 'paid';
