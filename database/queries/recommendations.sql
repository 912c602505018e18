-- name: get_product -> row
-- A slug of figures only gives way to the id.
SELECT id, category_id, brand, type, tags, price_minor
  FROM products
 WHERE (id = :product_id OR slug = :slug) AND listed
 ORDER BY id = :product_id DESC
 LIMIT 1;

-- name: list_related -> rows
-- What goes with some products, themselves and others apart.
SELECT r.related_id AS product_id, SUM(r.score) AS score
  FROM related_products r
  JOIN products p ON p.id = r.related_id AND p.listed
 WHERE r.product_id IN (:product_ids) AND r.related_id NOT IN (:without)
 GROUP BY r.related_id
 ORDER BY score DESC, r.related_id
 LIMIT :limit;

-- name: list_neighbours -> rows
-- The nearest in price on both sides, from the index of the category: the same few rows however full it is. As two bounds `listed`
-- is a range that goes on into the price; as `= TRUE` all that is cheaper would be read, too.
(SELECT id, brand, type, tags, price_minor
   FROM products
  WHERE category_id = :category_id AND listed >= TRUE AND listed <= TRUE AND price_minor >= :price_minor AND id <> :product_id
  ORDER BY listed, price_minor, id
  LIMIT :reach)
UNION ALL
(SELECT id, brand, type, tags, price_minor
   FROM products
  WHERE category_id = :category_id AND listed >= TRUE AND listed <= TRUE AND price_minor < :price_minor
  ORDER BY listed DESC, price_minor DESC, id DESC
  LIMIT :reach);

-- name: list_for_user -> rows
SELECT r.product_id
  FROM recommendations r
  JOIN products p ON p.id = r.product_id AND p.listed
 WHERE r.user_id = :user_id
 ORDER BY r.score DESC, r.product_id
 LIMIT 100;

-- name: list_told -> rows
SELECT product_id FROM recommendations WHERE user_id = :user_id ORDER BY score DESC, product_id LIMIT 1000;

-- name: list_bought -> rows
-- The buyer's latest lines are enough: nobody is shown more than a few things.
SELECT i.product_id
  FROM orders o
  JOIN order_items i ON i.order_id = o.id
 WHERE o.user_id = :user_id AND o.status NOT IN ('cancelled', 'expired') AND i.product_id IS NOT NULL
 ORDER BY o.id DESC
 LIMIT 1000;

-- name: main_category -> value
SELECT c.slug
  FROM products p
  JOIN categories c ON c.id = p.category_id
 WHERE p.id IN (:product_ids)
 GROUP BY c.id, c.slug
 ORDER BY COUNT(*) DESC, c.id
 LIMIT 1;

-- name: any_sold -> value
SELECT 1 FROM products WHERE id IN (:product_ids) AND sold_count > 0 LIMIT 1;

-- name: first_order -> value
SELECT id FROM orders WHERE placed_at >= UTC_TIMESTAMP(6) - INTERVAL :days DAY ORDER BY placed_at, id LIMIT 1;

-- name: list_baskets -> rows
-- An order without any product that still is one keeps its place, so that the reading goes on after it.
SELECT o.id AS order_id, i.product_id
  FROM (SELECT id FROM orders WHERE id >= :first AND status IN ('placed', 'completed') ORDER BY id LIMIT :limit) o
  LEFT JOIN order_items i ON i.order_id = o.id AND i.product_id IS NOT NULL
 ORDER BY o.id
 LIMIT 100000;

-- name: list_products_with_relations -> rows
SELECT DISTINCT product_id FROM related_products WHERE product_id > :after ORDER BY product_id LIMIT :limit;

-- name: list_relations -> rows
SELECT product_id, related_id, score FROM related_products WHERE product_id IN (:product_ids) LIMIT 100000;

-- name: delete_relations -> count
DELETE r
  FROM related_products r
  JOIN JSON_TABLE(:pairs, '$[*]' COLUMNS (product_id BIGINT UNSIGNED PATH '$[0]', related_id BIGINT UNSIGNED PATH '$[1]')) gone
    ON gone.product_id = r.product_id AND gone.related_id = r.related_id;

-- name: put_relations -> count
-- A product that was deleted meanwhile is left out.
INSERT INTO related_products (product_id, related_id, score)
SELECT made.product_id, made.related_id, made.score
  FROM JSON_TABLE(:pairs, '$[*]' COLUMNS (product_id BIGINT UNSIGNED PATH '$[0]', related_id BIGINT UNSIGNED PATH '$[1]', score DOUBLE PATH '$[2]')) made
  JOIN products a ON a.id = made.product_id
  JOIN products b ON b.id = made.related_id
    ON DUPLICATE KEY UPDATE score = VALUES(score);

-- name: list_shoppers -> rows
-- Everybody who bought or wished something, and whoever has recommendations that may have to go; a page of each, by its index.
(SELECT DISTINCT user_id FROM orders WHERE user_id > :after ORDER BY user_id LIMIT :limit)
 UNION
(SELECT DISTINCT user_id FROM wishlist_items WHERE user_id > :after ORDER BY user_id LIMIT :limit)
 UNION
(SELECT DISTINCT user_id FROM recommendations WHERE user_id > :after ORDER BY user_id LIMIT :limit)
 ORDER BY user_id
 LIMIT :limit;

-- name: list_seeds -> rows
-- What shoppers bought lately and what they wish; `bought` also tells what is no news to them, however long ago.
SELECT o.user_id, i.product_id, TRUE AS bought, MAX(o.placed_at >= UTC_TIMESTAMP(6) - INTERVAL :days DAY) AS late
  FROM orders o
  JOIN order_items i ON i.order_id = o.id
 WHERE o.user_id IN (:user_ids) AND o.status NOT IN ('cancelled', 'expired') AND i.product_id IS NOT NULL
 GROUP BY o.user_id, i.product_id
 UNION ALL
SELECT user_id, product_id, FALSE, TRUE FROM wishlist_items WHERE user_id IN (:user_ids)
 LIMIT 100000;

-- name: list_recommendations -> rows
SELECT user_id, product_id, score FROM recommendations WHERE user_id IN (:user_ids) LIMIT 100000;

-- name: delete_recommendations -> count
DELETE r
  FROM recommendations r
  JOIN JSON_TABLE(:pairs, '$[*]' COLUMNS (user_id BIGINT UNSIGNED PATH '$[0]', product_id BIGINT UNSIGNED PATH '$[1]')) gone
    ON gone.user_id = r.user_id AND gone.product_id = r.product_id;

-- name: put_recommendations -> count
-- Neither for whoever is being erased nor of what was deleted.
INSERT INTO recommendations (user_id, product_id, score)
SELECT made.user_id, made.product_id, made.score
  FROM JSON_TABLE(:pairs, '$[*]' COLUMNS (user_id BIGINT UNSIGNED PATH '$[0]', product_id BIGINT UNSIGNED PATH '$[1]', score DOUBLE PATH '$[2]')) made
  JOIN users u ON u.id = made.user_id
  JOIN products p ON p.id = made.product_id
    ON DUPLICATE KEY UPDATE score = VALUES(score);
