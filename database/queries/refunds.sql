-- name: get_payment -> row
-- The payment that the money came by, if it came by one.
SELECT id, method, captured_minor - refunded_minor AS left_minor
  FROM payments
 WHERE order_id = :order_id AND status = 'paid'
 ORDER BY id
 LIMIT 1;

-- name: claim -> count
-- Never more than was captured, whoever else gives money back at the same time.
UPDATE payments SET refunded_minor = refunded_minor + :amount_minor WHERE id = :payment_id AND captured_minor - refunded_minor >= :amount_minor;

-- name: get_given_back -> row
SELECT CAST(COALESCE(SUM(payment_minor + gift_card_minor), 0) AS SIGNED) AS amount_minor,
       CAST(COALESCE(SUM(gift_card_minor), 0) AS SIGNED) AS gift_card_minor,
       CAST(COALESCE(SUM(shipping_minor), 0) AS SIGNED) AS shipping_minor
  FROM refunds
 WHERE order_id = :order_id;

-- name: add -> id
-- What needs no gateway is done at once.
INSERT INTO refunds (order_id, payment_id, return_id, status, payment_minor, gift_card_minor, shipping_minor, reason, due_at, actor_id, created_at, done_at)
VALUES (:order_id, :payment_id, :return_id, IF(:done, 'done', 'pending'), :payment_minor, :gift_card_minor, :shipping_minor, :reason, UTC_TIMESTAMP(6),
        :actor_id, UTC_TIMESTAMP(6), IF(:done, UTC_TIMESTAMP(6), NULL));

-- name: add_items -> count
INSERT INTO refund_items (refund_id, order_item_id, quantity, amount_minor, restocked, unsent)
SELECT :refund_id, i.item_id, i.quantity, i.amount_minor, i.restocked, i.unsent
  FROM JSON_TABLE(:items, '$[*]' COLUMNS (item_id BIGINT UNSIGNED PATH '$.item_id',
                                          quantity INT PATH '$.quantity',
                                          amount_minor BIGINT PATH '$.amount_minor',
                                          restocked INT PATH '$.restocked',
                                          unsent INT PATH '$.unsent')) i;

-- name: list_of -> rows
SELECT f.order_id, f.id, f.status, f.payment_minor, f.gift_card_minor, f.shipping_minor, f.return_id, f.reason, f.created_at, f.done_at,
       (SELECT JSON_ARRAYAGG(JSON_OBJECT('item_id', i.order_item_id, 'quantity', i.quantity, 'amount_minor', i.amount_minor, 'restocked', i.restocked))
          FROM refund_items i
         WHERE i.refund_id = f.id) AS items
  FROM refunds f
 WHERE f.order_id IN (:order_ids)
 ORDER BY f.order_id, f.id
 LIMIT 10000;

-- name: list_due -> rows
SELECT id FROM refunds WHERE status = 'pending' AND due_at <= UTC_TIMESTAMP(6) ORDER BY due_at LIMIT :most;

-- name: lease -> count
-- Whoever carries a refund out moves its time, further with each attempt; a worker that died leaves it to be tried again.
UPDATE refunds
   SET due_at = UTC_TIMESTAMP(6) + INTERVAL LEAST(:longest, :first * POW(2, LEAST(attempts, 12))) SECOND, attempts = attempts + 1
 WHERE id = :refund_id AND status = 'pending' AND due_at <= UTC_TIMESTAMP(6);

-- name: get -> row
SELECT f.id, f.order_id, f.payment_id, f.payment_minor, f.attempts, f.status, o.number
  FROM refunds f
  JOIN orders o ON o.id = f.order_id
 WHERE f.id = :refund_id;

-- name: note_done -> count
UPDATE refunds SET status = 'done', gateway_id = :gateway_id, done_at = UTC_TIMESTAMP(6) WHERE id = :refund_id AND status = 'pending';

-- name: any_due -> value
SELECT 1 FROM refunds WHERE status = 'pending' AND due_at <= UTC_TIMESTAMP(6) LIMIT 1;

-- name: fail -> count
UPDATE refunds SET status = 'failed' WHERE id = :refund_id AND status = 'pending';

-- name: retry -> count
UPDATE refunds SET status = 'pending', due_at = UTC_TIMESTAMP(6), attempts = 0 WHERE id = :refund_id AND status = 'failed';
