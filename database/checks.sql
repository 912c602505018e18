-- What must always be true of a shop's data. Each statement returns no row when it is; ./shop doctor runs them, and so does every test.

-- check: stock_equals_movements
-- A variant's stock is the sum of its movements.
SELECT v.id AS variant_id, v.stock, COALESCE(SUM(m.quantity), 0) AS moved
  FROM variants v
  LEFT JOIN stock_movements m ON m.variant_id = v.id
 GROUP BY v.id, v.stock
HAVING v.stock <> COALESCE(SUM(m.quantity), 0);

-- check: stock_not_negative
-- Nothing is sold that is not there.
SELECT id AS variant_id, stock FROM variants WHERE stock < 0;

-- check: order_total_adds_up
-- An order's total is its goods less discounts, plus delivery, plus tax where prices do not include it.
SELECT id AS order_id, total_minor
  FROM orders
 WHERE total_minor <> subtotal_minor - discount_minor + shipping_minor + IF(tax_included, 0, tax_minor);

-- check: order_due_adds_up
-- What is due is the total less what a gift card paid.
SELECT id AS order_id, due_minor FROM orders WHERE due_minor <> total_minor - gift_card_minor;

-- check: order_lines_sum_to_subtotal
-- The lines of an order sum to its value of goods, and no order is without lines.
SELECT o.id AS order_id, o.subtotal_minor
  FROM orders o
  LEFT JOIN order_items i ON i.order_id = o.id
 GROUP BY o.id, o.subtotal_minor
HAVING COUNT(i.id) = 0 OR SUM(i.line_minor) <> o.subtotal_minor;

-- check: line_discounts_are_the_discount
-- What was taken off an order was taken off its lines.
SELECT o.id AS order_id, o.discount_minor
  FROM orders o
  JOIN order_items i ON i.order_id = o.id
 GROUP BY o.id, o.discount_minor
HAVING SUM(i.discount_minor) <> o.discount_minor;

-- check: promotion_counts_its_uses
-- A promotion was used as often as its uses say, and no more often than it may be.
SELECT p.id AS promotion_id, p.used_count
  FROM promotions p
  LEFT JOIN promotion_uses u ON u.promotion_id = p.id AND u.released_at IS NULL
 GROUP BY p.id, p.used_count, p.most_uses
HAVING COUNT(u.id) <> p.used_count OR p.used_count > COALESCE(p.most_uses, p.used_count);

-- check: given_up_order_holds_no_coupon
-- A cancelled or expired order gave its coupon back.
SELECT u.order_id
  FROM promotion_uses u
  JOIN orders o ON o.id = u.order_id
 WHERE u.released_at IS NULL AND o.status IN ('cancelled', 'expired');

-- check: gift_card_balance_is_its_ledger
-- What a gift card holds is what came onto it less what went off it, never less than nothing.
SELECT g.id AS gift_card_id, g.balance_minor
  FROM gift_cards g
  LEFT JOIN gift_card_movements m ON m.gift_card_id = g.id
 GROUP BY g.id, g.balance_minor
HAVING g.balance_minor <> COALESCE(SUM(m.amount_minor), 0) OR g.balance_minor < 0;

-- check: order_took_what_its_card_paid
-- An order that lives took of its gift card what it says; one that was given up gave all of it back.
SELECT o.id AS order_id, o.gift_card_minor, COALESCE(SUM(m.amount_minor), 0) AS moved
  FROM orders o
  LEFT JOIN gift_card_movements m
    ON m.order_id = o.id AND (m.reason IN ('spent', 'released') OR m.reason = 'refunded' AND o.status IN ('cancelled', 'expired'))
 GROUP BY o.id, o.gift_card_minor, o.status
HAVING -COALESCE(SUM(m.amount_minor), 0) <> IF(o.status IN ('cancelled', 'expired'), 0, o.gift_card_minor);

-- check: gift_card_refunds_within_what_it_paid
-- No more comes back to a card than it paid.
SELECT order_id
  FROM gift_card_movements
 WHERE reason IN ('spent', 'released', 'refunded')
 GROUP BY order_id
HAVING SUM(amount_minor) > 0;

-- check: invoice_numbers_without_a_gap
-- Of each kind there are as many documents as the last one's number says, and as were counted.
SELECT i.kind, MAX(i.number) AS last, COUNT(*) AS documents
  FROM invoices i
  LEFT JOIN counters c ON c.name = i.kind
 GROUP BY i.kind, c.value
HAVING MIN(i.number) <> 1 OR MAX(i.number) <> COUNT(*) OR MAX(i.number) <> COALESCE(c.value, 0);

-- check: one_invoice_for_each_order
-- No order has two invoices, and no document differs from what was issued.
SELECT order_id FROM invoices WHERE kind = 'invoice' GROUP BY order_id HAVING COUNT(*) > 1
 UNION ALL
SELECT order_id FROM invoices WHERE UNHEX(SHA2(document, 256)) <> UNHEX(sha256);

-- check: line_taxes_within_tax
-- The lines' taxes are a part of the order's tax; the rest is delivery's.
SELECT o.id AS order_id, o.tax_minor
  FROM orders o
  JOIN order_items i ON i.order_id = o.id
 GROUP BY o.id, o.tax_minor
HAVING SUM(i.tax_minor) > o.tax_minor;

-- check: order_moved_its_goods_once
-- A living order took goods and holds what did not come back; a cancelled or expired one gave all of it back.
SELECT o.id AS order_id, o.status, COALESCE(SUM(m.quantity), 0) AS moved
  FROM orders o
  JOIN stock_movements m ON m.order_id = o.id
 GROUP BY o.id, o.status
HAVING (o.status IN ('cancelled', 'expired') AND SUM(m.quantity) <> 0)
    OR (o.status NOT IN ('cancelled', 'expired')
        AND (SUM(IF(m.reason = 'order', m.quantity, 0)) >= 0 OR SUM(m.quantity) > 0));

-- check: line_moved_what_it_says
-- No line of an order took more off the shelf than it sold.
SELECT m.order_id, m.variant_id
  FROM stock_movements m
  JOIN (SELECT order_id, variant_id, SUM(quantity) AS quantity FROM order_items GROUP BY order_id, variant_id) i
    ON i.order_id = m.order_id AND i.variant_id = m.variant_id
 WHERE m.reason = 'order' AND -m.quantity <> i.quantity;

-- check: placed_order_has_its_mail
-- Every order told its buyer.
SELECT o.id AS order_id
  FROM orders o
 WHERE NOT EXISTS (SELECT 1 FROM mails m WHERE m.order_id = o.id AND m.template = 'order_placed');

-- check: order_events_begin_with_placed
-- Every order's history begins with its placing, and tells of its end once.
SELECT o.id AS order_id
  FROM orders o
 WHERE (SELECT COUNT(*) FROM order_events e WHERE e.order_id = o.id AND e.kind = 'placed') <> 1
    OR (SELECT COUNT(*) FROM order_events e WHERE e.order_id = o.id AND e.kind IN ('cancelled', 'expired'))
       <> IF(o.status IN ('cancelled', 'expired'), 1, 0);

-- check: pending_order_has_a_deadline
-- An order that waits for money holds its goods until a stated time, not for ever.
SELECT id AS order_id FROM orders WHERE status = 'pending' AND pay_by IS NULL;

-- check: one_order_for_each_key
-- No idempotency key stands without what it made, and no order was placed by two.
SELECT order_id, COUNT(*) AS times
  FROM idempotency_keys
 WHERE result_id IS NULL
 GROUP BY order_id
HAVING order_id IS NULL OR COUNT(*) > 1;

-- check: product_prices_match_variants
-- A product's listed prices are those of its cheapest and dearest variant.
SELECT p.id AS product_id
  FROM products p
  JOIN variants v ON v.product_id = p.id AND v.archived_at IS NULL
 GROUP BY p.id, p.price_minor, p.price_max_minor
HAVING MIN(v.price_minor) <> p.price_minor OR MAX(v.price_minor) <> p.price_max_minor;

-- check: listed_product_has_a_variant
-- What shoppers see can be put into a cart, or is at least counted.
SELECT p.id AS product_id
  FROM products p
 WHERE p.listed AND NOT EXISTS (SELECT 1 FROM variants v WHERE v.product_id = p.id AND v.archived_at IS NULL);

-- check: former_slug_is_nobodys_present_one
-- An address leads to one product.
SELECT s.slug FROM product_slugs s JOIN products p ON p.slug = s.slug;

-- check: variant_shows_its_own_picture
-- No variant shows a picture of another product.
SELECT v.id AS variant_id FROM variants v JOIN images i ON i.id = v.image_id WHERE i.product_id <> v.product_id;

-- check: categories_are_a_tree
-- From every category one comes to the top.
WITH RECURSIVE tree (id) AS (
    SELECT id FROM categories WHERE parent_id IS NULL
     UNION
    SELECT c.id FROM categories c JOIN tree t ON c.parent_id = t.id
)
SELECT c.id AS category_id FROM categories c LEFT JOIN tree t ON t.id = c.id WHERE t.id IS NULL;

-- check: codes_used_in_time
-- A code was used while it lived.
SELECT id AS code_id FROM codes WHERE used_at > expires_at;

-- check: one_code_used_for_each_challenge
-- A challenge is met once.
SELECT challenge_id FROM codes WHERE used_at IS NOT NULL GROUP BY challenge_id HAVING COUNT(*) > 1;

-- check: sent_mails_hold_no_data
-- A mail that was sent keeps nothing of what it said: it may have held a code.
SELECT id AS mail_id FROM mails WHERE status = 'sent' AND data <> '';

-- check: ratings_match_reviews
-- A product's stars are those of its approved reviews.
SELECT p.id AS product_id, p.rating_sum, p.rating_count
  FROM products p
  LEFT JOIN (SELECT product_id, SUM(rating) AS stars, COUNT(*) AS reviews FROM reviews WHERE status = 'approved' GROUP BY product_id) r ON r.product_id = p.id
 WHERE p.rating_sum <> COALESCE(r.stars, 0) OR p.rating_count <> COALESCE(r.reviews, 0);

-- check: wish_has_one_owner
-- A wish is an account's or a guest's, and nobody has more than there is room for.
SELECT MIN(id) AS wishlist_item_id, COUNT(*) AS wishes
  FROM wishlist_items
 GROUP BY user_id, token_hash
HAVING (user_id IS NULL) = (token_hash IS NULL) OR COUNT(*) > 200;

-- check: decided_review_has_its_time
-- What waits for a decision has none, and what has one says when.
SELECT id AS review_id FROM reviews WHERE status <> 'pending' AND moderated_at IS NULL;

-- check: nothing_is_related_to_itself
-- No product is recommended with itself.
SELECT product_id FROM related_products WHERE product_id = related_id;

-- check: no_illegal_step
-- No order goes back: nothing happens to one that was given up or completed but that money returns, and no step is taken twice.
SELECT DISTINCT later.order_id
  FROM order_events earlier
  JOIN order_events later ON later.order_id = earlier.order_id AND later.id > earlier.id
 WHERE later.kind = 'placed'
    OR earlier.kind = later.kind AND earlier.kind IN ('paid', 'shipped', 'delivered', 'completed', 'cancelled', 'expired', 'refunded')
    OR earlier.kind IN ('cancelled', 'expired') AND later.kind IN ('partly_shipped', 'shipped', 'delivered', 'completed', 'cancelled', 'expired')
    OR earlier.kind = 'completed' AND later.kind IN ('partly_shipped', 'shipped', 'delivered', 'cancelled', 'expired')
    OR earlier.kind IN ('shipped', 'delivered') AND later.kind IN ('partly_shipped', 'shipped', 'cancelled', 'expired')
    OR earlier.kind = 'partly_shipped' AND later.kind IN ('cancelled', 'expired')
    OR earlier.kind = 'refunded' AND later.kind = 'partly_refunded';

-- check: states_are_where_their_events_lead
-- Each state of an order was reached by a step that is on record.
SELECT o.id AS order_id
  FROM orders o
 WHERE (o.status IN ('completed', 'cancelled', 'expired')
        AND NOT EXISTS (SELECT 1 FROM order_events e WHERE e.order_id = o.id AND e.kind = o.status))
    OR (o.fulfilment_status <> 'unfulfilled'
        AND NOT EXISTS (SELECT 1 FROM order_events e WHERE e.order_id = o.id AND e.kind = o.fulfilment_status))
    OR (o.payment_status <> 'unpaid'
        AND NOT EXISTS (SELECT 1 FROM order_events e WHERE e.order_id = o.id AND e.kind = o.payment_status));

-- check: parcels_hold_what_was_ordered
-- No more of a line left, or was given up, than was ordered, and no more came back than left.
SELECT i.id AS order_item_id, i.quantity
  FROM order_items i
 WHERE (SELECT COALESCE(SUM(s.quantity), 0) FROM shipment_items s WHERE s.order_item_id = i.id)
       + (SELECT COALESCE(SUM(f.unsent), 0) FROM refund_items f WHERE f.order_item_id = i.id) > i.quantity
    OR (SELECT COALESCE(SUM(b.quantity), 0) FROM return_items b JOIN returns r ON r.id = b.return_id AND r.status <> 'rejected' WHERE b.order_item_id = i.id)
       > (SELECT COALESCE(SUM(s.quantity), 0) FROM shipment_items s WHERE s.order_item_id = i.id)
    OR (SELECT COALESCE(SUM(b.restocked), 0) FROM return_items b WHERE b.order_item_id = i.id)
       + (SELECT COALESCE(SUM(f.restocked), 0) FROM refund_items f WHERE f.order_item_id = i.id) > i.quantity;

-- check: parcel_is_of_one_order
-- A parcel, a return and a refund hold lines of their own order only.
SELECT s.id AS shipment_id FROM shipments s JOIN shipment_items p ON p.shipment_id = s.id JOIN order_items i ON i.id = p.order_item_id WHERE i.order_id <> s.order_id
 UNION ALL
SELECT r.id FROM returns r JOIN return_items p ON p.return_id = r.id JOIN order_items i ON i.id = p.order_item_id WHERE i.order_id <> r.order_id
 UNION ALL
SELECT f.id FROM refunds f JOIN refund_items p ON p.refund_id = f.id JOIN order_items i ON i.id = p.order_item_id WHERE i.order_id <> f.order_id;

-- check: fulfilment_is_what_was_sent
-- An order is shipped when all that is to be sent has left, and delivered when all of it arrived. Cancelled ones sent nothing.
SELECT o.id AS order_id, o.fulfilment_status
  FROM orders o
  LEFT JOIN (SELECT i.order_id, SUM(i.quantity) - COALESCE(SUM(u.unsent), 0) AS wanted, COALESCE(SUM(p.sent), 0) AS sent
               FROM order_items i
               LEFT JOIN (SELECT order_item_id, SUM(quantity) AS sent FROM shipment_items GROUP BY order_item_id) p ON p.order_item_id = i.id
               LEFT JOIN (SELECT order_item_id, SUM(unsent) AS unsent FROM refund_items GROUP BY order_item_id) u ON u.order_item_id = i.id
              WHERE NOT i.gift_card
              GROUP BY i.order_id) s ON s.order_id = o.id
 WHERE (o.fulfilment_status = 'unfulfilled') <> (COALESCE(s.sent, 0) = 0)
    OR (o.fulfilment_status IN ('shipped', 'delivered') AND s.sent <> s.wanted)
    OR (o.fulfilment_status = 'partly_shipped' AND s.sent >= s.wanted)
    OR (o.fulfilment_status = 'delivered' AND EXISTS (SELECT 1 FROM shipments x WHERE x.order_id = o.id AND x.delivered_at IS NULL))
    OR (o.status IN ('pending', 'cancelled', 'expired') AND o.fulfilment_status <> 'unfulfilled');

-- check: payments_gave_back_what_their_refunds_say
-- No refund without its money, and none above what was captured.
SELECT p.id AS payment_id, p.refunded_minor
  FROM payments p
  LEFT JOIN refunds f ON f.payment_id = p.id
 WHERE p.status NOT IN ('unwanted', 'returned')
 GROUP BY p.id, p.refunded_minor, p.captured_minor
HAVING p.refunded_minor <> COALESCE(SUM(f.payment_minor), 0) OR p.refunded_minor > p.captured_minor;

-- check: unwanted_money_goes_back_whole
-- Money that came for an order which wanted none is captured whole and goes back whole, and nothing else is ever captured unpaid.
SELECT id AS payment_id, status, captured_minor, refunded_minor
  FROM payments
 WHERE (status IN ('unwanted', 'returned') AND captured_minor <> amount_minor)
    OR (status = 'unwanted' AND refunded_minor <> 0)
    OR (status = 'returned' AND refunded_minor <> captured_minor)
    OR (status IN ('pending', 'abandoned') AND captured_minor <> 0);

-- check: refund_is_the_sum_of_its_parts
-- What goes back is lines and delivery, by payment and gift card.
SELECT f.id AS refund_id
  FROM refunds f
  LEFT JOIN refund_items i ON i.refund_id = f.id
 GROUP BY f.id, f.payment_minor, f.gift_card_minor, f.shipping_minor
HAVING f.payment_minor + f.gift_card_minor <> f.shipping_minor + COALESCE(SUM(i.amount_minor), 0);

-- check: line_gives_back_what_was_paid_for_it
-- The refunds of a line never exceed it, and those of all its pieces are exactly it.
SELECT i.id AS order_item_id, SUM(f.amount_minor) AS refunded_minor
  FROM order_items i
  JOIN orders o ON o.id = i.order_id
  JOIN refund_items f ON f.order_item_id = i.id
 GROUP BY i.id, i.quantity, i.line_minor, i.discount_minor, i.tax_minor, o.tax_included
HAVING SUM(f.quantity) > i.quantity
    OR SUM(f.amount_minor) > i.line_minor - i.discount_minor + IF(o.tax_included, 0, i.tax_minor)
    OR (SUM(f.quantity) = i.quantity AND SUM(f.amount_minor) <> i.line_minor - i.discount_minor + IF(o.tax_included, 0, i.tax_minor));

-- check: payment_status_is_what_was_refunded
-- An order is refunded when all of it went back, partly when some of it did.
SELECT o.id AS order_id, o.payment_status, COALESCE(SUM(f.payment_minor + f.gift_card_minor), 0) AS refunded_minor
  FROM orders o
  LEFT JOIN refunds f ON f.order_id = o.id
 GROUP BY o.id, o.payment_status, o.total_minor
HAVING COALESCE(SUM(f.payment_minor + f.gift_card_minor), 0) > o.total_minor
    OR (o.payment_status = 'refunded') <> (o.total_minor > 0 AND COALESCE(SUM(f.payment_minor + f.gift_card_minor), 0) = o.total_minor)
    OR (o.payment_status = 'partly_refunded') <> (COALESCE(SUM(f.payment_minor + f.gift_card_minor), 0) BETWEEN 1 AND o.total_minor - 1);

-- check: paid_order_has_its_payment
-- Nobody is called a payer without money on record, and no order was captured above what was due.
SELECT o.id AS order_id
  FROM orders o
  LEFT JOIN payments p ON p.order_id = o.id AND p.status = 'paid'
 GROUP BY o.id, o.payment_status, o.due_minor
HAVING (o.payment_status <> 'unpaid' AND COALESCE(SUM(p.captured_minor), 0) < o.due_minor) OR COALESCE(SUM(p.captured_minor), 0) > o.due_minor;

-- check: completed_order_is_paid
-- What is completed has arrived and is paid, or was refunded, or had nothing to send.
SELECT id AS order_id FROM orders WHERE status = 'completed' AND payment_status = 'unpaid';

-- check: finished_import_did_it_all
-- An import that is done did each of its steps, and says when.
SELECT id AS import_id FROM imports WHERE status = 'done' AND (done <> total OR finished_at IS NULL);

-- check: newsletter_choice_is_the_subscription
-- An account is said to get the newsletter when its address does, and only then.
SELECT u.id AS user_id
  FROM users u
  LEFT JOIN subscribers s ON s.email_key = u.email_key AND s.status = 'subscribed'
 WHERE u.newsletter <> (s.id IS NOT NULL);

-- check: finished_bulk_actions_are_whole
-- A bulk action that is done has reached every target of its plan.
SELECT id AS bulk_action_id FROM bulk_actions WHERE status = 'done' AND (done <> total OR finished_at IS NULL);
