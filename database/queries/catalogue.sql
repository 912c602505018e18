-- part: filters
-- Filters that are not asked for are constants to the optimiser, which drops them. Written as two bounds `listed` is a range
-- that goes on into the next column of the index; as `= TRUE` a page deep in the list is reached by reading all before it,
-- and a bare `p.listed` loses the order of the index. An EXISTS would be made a table of all variants first.
 WHERE p.listed >= TRUE AND p.listed <= TRUE
   AND (:any_category OR p.category_id IN (:category_ids))
   AND (:price_min IS NULL OR p.price_max_minor >= :price_min)
   AND (:price_max IS NULL OR p.price_minor <= :price_max)
   AND (:brand IS NULL OR p.brand = :brand)
   AND (:rating_min IS NULL OR p.rating_count > 0 AND p.rating_sum >= :rating_min * p.rating_count)
   AND (:prefix IS NULL OR p.title LIKE :prefix)
   AND (NOT :in_stock OR (SELECT s.id FROM variants s
                           WHERE s.product_id = p.id AND s.archived_at IS NULL AND (s.stock > 0 OR NOT s.tracked) LIMIT 1) IS NOT NULL)

-- part: card
-- What a card shows. Each subquery is one look-up in an index for each of the few products of a page, so that what all variants
-- tell together comes as one: stock, number, whether any can be had, and what the cheapest cost before.
SELECT p.id, p.slug, p.title, p.description, p.brand, p.tags, p.price_minor, p.price_max_minor, p.version,
       p.rating_sum, p.rating_count,
       c.id AS category_id, c.slug AS category_slug, c.name AS category_name,
       i.path AS image_path, i.alt AS image_alt, i.width AS image_width, i.height AS image_height, i.widths AS image_widths,
       (SELECT JSON_ARRAY(CAST(COALESCE(SUM(v.stock), 0) AS SIGNED), COUNT(*), MAX(v.stock > 0 OR NOT v.tracked),
                          MAX(CASE WHEN v.price_minor = p.price_minor THEN v.compare_at_minor END))
          FROM variants v
         WHERE v.product_id = p.id AND v.archived_at IS NULL) AS shelf

-- part: card_joins
  LEFT JOIN categories c ON c.id = p.category_id
  LEFT JOIN images i ON i.id = (SELECT f.id FROM images f WHERE f.product_id = p.id ORDER BY f.position LIMIT 1)

-- name: list_products -> rows
-- The page is cut first, from an index that holds the sort order; only its rows are then dressed.
-- sort newest: p.listed DESC, p.created_at DESC, p.id DESC AFTER (p.created_at < :after OR p.created_at = :after AND p.id < :after_id)
-- sort price_asc: p.listed, p.price_minor, p.id AFTER (p.price_minor > :after OR p.price_minor = :after AND p.id > :after_id)
-- sort price_desc: p.listed DESC, p.price_minor DESC, p.id DESC AFTER (p.price_minor < :after OR p.price_minor = :after AND p.id < :after_id)
-- sort name: p.listed, p.title, p.id AFTER (p.title > :after OR p.title = :after AND p.id > :after_id)
{card},
       p.created_at
  FROM (SELECT p.id
          FROM products p
         {filters}
           AND (:after_id IS NULL OR {after})
         ORDER BY {sort}
         LIMIT :limit) page
  JOIN products p ON p.id = page.id
{card_joins}
 ORDER BY {sort};

-- name: list_cards -> rows
{card}
  FROM products p
{card_joins}
 WHERE p.id IN (:ids) AND p.listed
 LIMIT 1000;

-- name: count_products -> value
-- To count all there are is to read all there are.
SELECT COUNT(*)
  FROM (SELECT p.id
          FROM products p
         {filters}
         LIMIT :limit) counted;

-- name: count_by_category -> rows
SELECT category_id, COUNT(*) AS count
  FROM (SELECT p.category_id
          FROM products p
         {filters}
         LIMIT :limit) counted
 GROUP BY category_id;

-- name: list_categories -> rows
SELECT c.id, c.parent_id, c.slug, c.name, c.description, c.image_path, c.image_alt, c.image_width, c.image_height, c.image_widths
  FROM categories c
 ORDER BY c.position, c.name
 LIMIT 1000;

-- name: get_version -> row
-- Rows are numbered before they are committed, and not in that order: one that comes late shifts the end of the last five hundred.
-- Each checksum is of a value together with what it belongs to: two rows that exchange values make another version, too.
SELECT (SELECT CONCAT_WS(' ', COUNT(*), MIN(id), MAX(id)) FROM (SELECT id FROM product_changes ORDER BY id DESC LIMIT 500) c) AS changes,
       (SELECT CONCAT_WS(' ', COUNT(*), MIN(id), MAX(id)) FROM (SELECT id FROM stock_movements ORDER BY id DESC LIMIT 500) m) AS movements,
       (SELECT CONCAT_WS(' ', COUNT(*), MAX(id), SUM(version), SUM(CRC32(CONCAT_WS(' ', id, version, slug, name, image_path, image_alt))))
          FROM categories) AS categories,
       (SELECT CONCAT_WS(' ', COUNT(*), SUM(CRC32(CONCAT_WS(' ', name, value)))) FROM settings) AS settings;

-- name: get_product -> row
{card},
       p.gift_card, p.option1, p.option2, p.option3
  FROM products p
{card_joins}
 WHERE p.slug = :slug AND p.listed;

-- name: get_slug -> value
SELECT slug FROM products WHERE id = :id AND listed;

-- name: get_present_slug -> value
SELECT p.slug FROM product_slugs s JOIN products p ON p.id = s.product_id WHERE s.slug = :former AND p.listed;

-- name: find_archived -> value
SELECT p.id FROM products p WHERE p.slug = :slug AND p.archived_at IS NOT NULL
 UNION
SELECT p.id FROM product_slugs s JOIN products p ON p.id = s.product_id WHERE s.slug = :slug AND p.archived_at IS NOT NULL
 LIMIT 1;

-- name: list_variants -> rows
SELECT v.id, v.sku, v.option1, v.option2, v.option3, v.price_minor, v.compare_at_minor, v.stock, v.tracked, v.weight_g, v.barcode, v.image_id
  FROM variants v
 WHERE v.product_id = :product_id AND v.archived_at IS NULL
 ORDER BY v.position, v.id
 LIMIT 250;

-- name: list_images -> rows
SELECT id, position, path, alt, width, height, widths FROM images WHERE product_id = :product_id ORDER BY position, id LIMIT 100;
