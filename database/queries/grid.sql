-- part: wanted
-- What the sort orders' indexes begin with is `archived_at`; filters that are not asked for are constants to the optimiser.
 WHERE (:archived AND p.archived_at IS NOT NULL OR NOT :archived AND p.archived_at IS NULL)
   AND (:published IS NULL OR p.published = :published)
   AND (:any_category OR p.category_id IN (:category_ids))
   AND (:anywhere IS NULL OR p.title LIKE :anywhere ESCAPE '!' OR p.brand LIKE :anywhere ESCAPE '!'
        OR p.id IN (SELECT s.product_id FROM variants s WHERE s.archived_at IS NULL AND s.sku LIKE :prefix ESCAPE '!'))
   AND (NOT :low OR EXISTS (SELECT 1 FROM variants s WHERE s.product_id = p.id AND s.archived_at IS NULL AND s.tracked AND s.stock <= :low_stock))

-- name: list_products -> rows
-- The page is cut first, from an index that holds the sort order; only its rows are then dressed.
-- sort updated: p.updated_at DESC, p.id DESC AFTER (p.updated_at < :after OR p.updated_at = :after AND p.id < :after_id)
-- sort updated_asc: p.updated_at, p.id AFTER (p.updated_at > :after OR p.updated_at = :after AND p.id > :after_id)
-- sort title: p.title, p.id AFTER (p.title > :after OR p.title = :after AND p.id > :after_id)
-- sort title_desc: p.title DESC, p.id DESC AFTER (p.title < :after OR p.title = :after AND p.id < :after_id)
-- sort price: p.price_minor, p.id AFTER (p.price_minor > :after OR p.price_minor = :after AND p.id > :after_id)
-- sort price_desc: p.price_minor DESC, p.id DESC AFTER (p.price_minor < :after OR p.price_minor = :after AND p.id < :after_id)
SELECT p.id, p.slug, p.title, p.brand, p.type, p.price_minor, p.price_max_minor, p.published, p.archived_at, p.sold_count, p.created_at, p.updated_at, p.version,
       c.id AS category_id, c.slug AS category_slug, c.name AS category_name,
       i.path AS image_path, i.alt AS image_alt, i.width AS image_width, i.height AS image_height, i.widths AS image_widths,
       (SELECT CAST(COALESCE(SUM(v.stock), 0) AS SIGNED) FROM variants v WHERE v.product_id = p.id AND v.archived_at IS NULL AND v.tracked) AS stock,
       (SELECT COUNT(*) FROM variants v WHERE v.product_id = p.id AND v.archived_at IS NULL) AS variant_count,
       EXISTS (SELECT 1 FROM variants v WHERE v.product_id = p.id AND v.archived_at IS NULL AND v.tracked) AS tracked,
       EXISTS (SELECT 1 FROM variants v WHERE v.product_id = p.id AND v.archived_at IS NULL AND v.tracked AND v.stock <= :low_stock) AS low
  FROM (SELECT p.id
          FROM products p
         {wanted}
           AND (:after_id IS NULL OR {after})
         ORDER BY {sort}
         LIMIT :limit) page
  JOIN products p ON p.id = page.id
  LEFT JOIN categories c ON c.id = p.category_id
  LEFT JOIN images i ON i.id = (SELECT f.id FROM images f WHERE f.product_id = p.id ORDER BY f.position, f.id LIMIT 1)
 ORDER BY {sort};

-- name: count_products -> value
SELECT COUNT(*)
  FROM products p
{wanted};

-- name: list_wanted -> rows
-- A bulk act goes through all that match by id, so that nothing it changes can make it miss or meet one twice.
SELECT p.id
  FROM products p
{wanted}
   AND p.id > :after_id
 ORDER BY p.id
 LIMIT :limit;

-- name: list_categories_below -> rows
-- A category stands for all below it.
WITH RECURSIVE tree (id) AS (
    SELECT id FROM categories WHERE slug = :slug
     UNION
    SELECT c.id FROM categories c JOIN tree t ON c.parent_id = t.id
)
SELECT id FROM tree LIMIT 1000;
