-- name: get -> row
SELECT id, version FROM carts WHERE user_id = :user_id OR token_hash = :token_hash LIMIT 1;

-- part: goods
v.product_id, v.sku, v.price_minor, v.compare_at_minor, v.stock, v.tracked, v.weight_g,
       v.option1, v.option2, v.option3, p.option1 AS option1_name, p.option2 AS option2_name, p.option3 AS option3_name,
       p.slug, p.title, p.category_id, p.tax_class, p.gift_card, p.listed AND v.archived_at IS NULL AS buyable,
       f.path AS image_path, f.alt AS image_alt, f.width AS image_width, f.height AS image_height, f.widths AS image_widths

-- part: of_goods
JOIN variants v ON v.id = i.variant_id
  JOIN products p ON p.id = v.product_id
  LEFT JOIN images f ON f.id = COALESCE(v.image_id, (SELECT m.id FROM images m WHERE m.product_id = p.id ORDER BY m.position LIMIT 1))

-- part: whole
SELECT i.id, i.variant_id, i.quantity, i.seen_price_minor, c.id AS cart_id, c.version AS cart_version,
       (SELECT s.value FROM settings s WHERE s.name = 'currency') AS currency, {goods}
  FROM carts c
  JOIN cart_items i ON i.cart_id = c.id
  {of_goods}

-- name: list_of_user -> rows
-- The cart in one look, with prices and stock as of now, and its own id and version in each line; an empty one gives no row.
-- What can no longer be bought is still listed, so that the page can say so.
{whole}
 WHERE c.user_id = :user_id
 ORDER BY i.id
 LIMIT 100;

-- name: list_of_guest -> rows
{whole}
 WHERE c.token_hash = :token_hash
 ORDER BY i.id
 LIMIT 100;

-- name: list_named -> rows
-- What staff name for a customer, as if it lay in a cart.
SELECT i.id, i.variant_id, i.quantity, v.price_minor AS seen_price_minor, {goods}
  FROM JSON_TABLE(:items, '$[*]' COLUMNS (id FOR ORDINALITY, variant_id BIGINT UNSIGNED PATH '$.variant_id', quantity INT PATH '$.quantity')) i
  {of_goods}
 ORDER BY i.id
 LIMIT 100;

-- name: count_items -> value
SELECT CAST(COALESCE(SUM(i.quantity), 0) AS SIGNED)
  FROM carts c
  JOIN cart_items i ON i.cart_id = c.id
 WHERE c.user_id = :user_id OR c.token_hash = :token_hash;

-- name: add -> id
-- Two first clicks at once make one cart: the second finds, and takes, the first one's row. Only for who has none: ON DUPLICATE KEY
-- locks gaps even under READ COMMITTED, and neighbours would deadlock on them.
INSERT INTO carts (user_id, token_hash, version, updated_at)
VALUES (:user_id, :token_hash, 2, UTC_TIMESTAMP(6))
    ON DUPLICATE KEY UPDATE id = LAST_INSERT_ID(id), version = version + 1;

-- name: take -> count_and_id
-- Every change of a cart takes its row first, so that changes and orders of one cart follow each other. To learn its id costs no statement.
UPDATE carts
   SET version = version + 1 + 0 * LAST_INSERT_ID(id), updated_at = UTC_TIMESTAMP(6)
 WHERE user_id = :user_id OR token_hash = :token_hash;

-- name: claim -> count
-- An order takes the cart only as the shopper's request saw it: of two tabs with one cart, one orders it.
-- What is put into it afterwards is another cart, of which may be reminded anew.
UPDATE carts SET version = version + 1, updated_at = UTC_TIMESTAMP(6), reminded_at = NULL WHERE id = :cart_id AND version = :version;

-- name: list_quantities -> rows
SELECT variant_id, quantity FROM cart_items WHERE cart_id = :cart_id LIMIT 100;

-- name: get_variant -> row
-- What is on sale, with how many of it the cart holds, and how many lines.
SELECT v.id, v.product_id, v.price_minor, v.stock, v.tracked, p.title,
       (SELECT i.quantity FROM cart_items i WHERE i.cart_id = :cart_id AND i.variant_id = v.id) AS present,
       (SELECT COUNT(*) FROM cart_items i WHERE i.cart_id = :cart_id) AS line_count
  FROM variants v
  JOIN products p ON p.id = v.product_id
 WHERE v.id = :variant_id AND v.archived_at IS NULL AND p.listed;

-- name: hold_variants -> rows
-- Each new line of a cart holds the row of its variant until COMMIT. Several are held in the order in which orders take them, whatever
-- their order in the cart, so that the two never wait for each other.
SELECT id FROM variants WHERE id IN (:variant_ids) ORDER BY id LIMIT 100 LOCK IN SHARE MODE;

-- name: list_variants -> rows
SELECT v.id, v.price_minor, v.stock, v.tracked
  FROM variants v
  JOIN products p ON p.id = v.product_id
 WHERE v.id IN (:variant_ids) AND v.archived_at IS NULL AND p.listed
 LIMIT 100;

-- name: list_variant_ids -> rows
SELECT v.id FROM variants v JOIN products p ON p.id = v.product_id WHERE p.id = :product_id AND p.listed AND v.archived_at IS NULL LIMIT 2;

-- name: get_item -> row
SELECT id, variant_id, quantity FROM cart_items WHERE cart_id = :cart_id AND id = :item_id;

-- name: add_item -> id
INSERT INTO cart_items (cart_id, variant_id, quantity, seen_price_minor)
VALUES (:cart_id, :variant_id, :quantity, :price_minor);

-- name: change_item -> count
UPDATE cart_items SET quantity = :quantity, seen_price_minor = :price_minor WHERE cart_id = :cart_id AND variant_id = :variant_id;

-- name: remove_item -> count
DELETE FROM cart_items WHERE cart_id = :cart_id AND id = :item_id;

-- name: clear -> count
DELETE FROM cart_items WHERE cart_id = :cart_id;

-- name: delete -> count
DELETE FROM carts WHERE id = :cart_id;
