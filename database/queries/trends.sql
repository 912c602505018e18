-- name: list_trending -> rows
SELECT term FROM trending_terms ORDER BY score DESC LIMIT :limit;

-- name: list_beginning -> rows
SELECT term FROM trending_terms WHERE term LIKE :prefix ORDER BY score DESC LIMIT :limit;

-- name: list_products -> rows
-- What a suggestion shows of a product: less than a card.
SELECT p.id, p.slug, p.title, p.price_minor,
       i.path AS image_path, i.alt AS image_alt, i.width AS image_width, i.height AS image_height, i.widths AS image_widths
  FROM products p
  LEFT JOIN images i ON i.id = (SELECT f.id FROM images f WHERE f.product_id = p.id ORDER BY f.position LIMIT 1)
 WHERE p.id IN (:ids) AND p.listed
 LIMIT 10;

-- name: add_visits -> count
-- One row a visitor, term and day, however often they searched.
INSERT IGNORE INTO search_visits (day, term, visitor)
SELECT v.day, v.term, v.visitor
  FROM JSON_TABLE(:visits, '$[*]' COLUMNS (day DATE PATH '$.day', term VARCHAR(80) PATH '$.term', visitor CHAR(32) PATH '$.visitor')) v;

-- name: list_visited -> rows
-- Visitors are told apart within a day only, so there must have been enough of them on one.
SELECT term, SUM(visitors * POW(0.5, age)) AS score
  FROM (SELECT term, DATEDIFF(UTC_DATE(), day) AS age, COUNT(*) AS visitors
          FROM search_visits
         GROUP BY day, term
        HAVING COUNT(*) >= :least) days
 GROUP BY term
 ORDER BY score DESC, term
 LIMIT :limit;

-- name: delete_visits -> count
DELETE FROM search_visits WHERE day < UTC_DATE() - INTERVAL 14 DAY ORDER BY day LIMIT 10000;

-- name: delete_terms -> count
DELETE FROM trending_terms;

-- name: add_terms -> count
INSERT INTO trending_terms (term, score)
SELECT t.term, t.score
  FROM JSON_TABLE(:terms, '$[*]' COLUMNS (term VARCHAR(80) PATH '$.term', score DOUBLE PATH '$.score')) t;

-- name: list_ever_sold -> rows
SELECT DISTINCT product_id FROM order_items WHERE product_id > :after ORDER BY product_id LIMIT :limit;

-- name: list_sold -> rows
SELECT p.id, p.sold_count, COALESCE(SUM(o.quantity), 0) AS sold
  FROM products p
  LEFT JOIN (SELECT i.product_id, i.quantity
               FROM order_items i
               JOIN orders o ON o.id = i.order_id
              WHERE i.product_id IN (:ids) AND o.placed_at >= UTC_TIMESTAMP(6) - INTERVAL :days DAY
                AND o.status NOT IN ('cancelled', 'expired')) o ON o.product_id = p.id
 WHERE p.id IN (:ids)
 GROUP BY p.id, p.sold_count
 LIMIT 500;

-- name: set_sold -> count
-- In ascending order of id.
UPDATE JSON_TABLE(:counts, '$[*]' COLUMNS (product_id BIGINT UNSIGNED PATH '$[0]', sold INT UNSIGNED PATH '$[1]')) counted
STRAIGHT_JOIN products p FORCE INDEX (PRIMARY) ON p.id = counted.product_id
   SET p.sold_count = counted.sold;
