-- name: mark -> count
INSERT INTO product_changes (product_id, changed_at)
SELECT changed.id, UTC_TIMESTAMP(6)
  FROM JSON_TABLE(:product_ids, '$[*]' COLUMNS (id BIGINT UNSIGNED PATH '$')) changed;

-- name: mark_sold_out -> count
INSERT INTO product_changes (product_id, changed_at)
SELECT DISTINCT product_id, UTC_TIMESTAMP(6)
  FROM variants
 WHERE id IN (:variant_ids) AND stock = 0;

-- name: mark_back -> count
-- After the goods are back on the shelf: a variant that has no more than what came had nothing before.
INSERT INTO product_changes (product_id, changed_at)
SELECT DISTINCT v.product_id, UTC_TIMESTAMP(6)
  FROM (SELECT variant_id, -SUM(quantity) AS quantity
          FROM stock_movements
         WHERE order_id = :order_id
         GROUP BY variant_id) returned
  JOIN variants v ON v.id = returned.variant_id
 WHERE returned.quantity > 0 AND v.stock <= returned.quantity;

-- name: mark_demo -> count
INSERT INTO product_changes (product_id, changed_at)
SELECT id, UTC_TIMESTAMP(6) FROM products WHERE demo AND archived_at IS NULL;

-- name: now -> value
SELECT UTC_TIMESTAMP(6);

-- name: list_changes -> rows
SELECT id, product_id, changed_at
  FROM product_changes
 WHERE changed_at >= :at AND (changed_at > :at OR id > :after)
 ORDER BY changed_at, id
 LIMIT :limit;

-- name: forget_changes -> count
DELETE FROM product_changes WHERE changed_at < UTC_TIMESTAMP(6) - INTERVAL 1 DAY ORDER BY changed_at LIMIT 10000;

-- part: searched
SELECT p.id, p.listed, p.title, p.description, p.category_id, p.brand, p.type, p.tags, p.price_minor, p.price_max_minor,
       p.rating_sum, p.rating_count, p.sold_count, p.created_at
  FROM products p

-- name: list_products -> rows
{searched}
 WHERE p.id > :after
 ORDER BY p.id
 LIMIT :limit;

-- name: list_products_by_id -> rows
{searched}
 WHERE p.id IN (:product_ids)
 LIMIT 1000;

-- name: list_variants -> rows
SELECT v.product_id, v.sku, v.option1, v.option2, v.option3, v.stock > 0 OR NOT v.tracked AS available
  FROM variants v
 WHERE v.product_id IN (:product_ids) AND v.archived_at IS NULL
 LIMIT 500000;

-- name: last_product -> value
SELECT MAX(id) FROM products;

-- name: list_categories -> rows
SELECT id, parent_id, name FROM categories ORDER BY id LIMIT 10000;

-- name: list_of_category -> rows
SELECT id FROM products WHERE category_id = :category_id AND id > :after ORDER BY id LIMIT :limit;
