-- part: sheet
-- A product as a file tells it.
SELECT p.id, p.slug, p.title, p.description, p.markdown, p.category_id, p.brand, p.type, p.tags, p.published, p.gift_card, p.tax_class, p.option1, p.option2, p.option3,
       p.seo_title, p.seo_description, p.archived_at IS NOT NULL AS archived
  FROM products p

-- name: list_products -> rows
{sheet}
 WHERE p.slug IN (:slugs)
 LIMIT 500;

-- name: list_after -> rows
{sheet}
 WHERE p.slug > :after AND p.archived_at IS NULL
 ORDER BY p.slug
 LIMIT :limit;

-- name: list_variants -> rows
SELECT v.id, v.product_id, v.sku, v.option1, v.option2, v.option3, v.price_minor, v.compare_at_minor, v.stock, v.tracked, v.weight_g, v.barcode, v.image_id
  FROM variants v
 WHERE v.product_id IN (:product_ids) AND v.archived_at IS NULL
 ORDER BY v.product_id, v.position, v.id
 LIMIT 200000;

-- name: list_images -> rows
SELECT i.id, i.product_id, i.path, i.alt
  FROM images i
 WHERE i.product_id IN (:product_ids)
 ORDER BY i.product_id, i.position, i.id
 LIMIT 50000;

-- name: list_skus -> rows
SELECT v.id, v.sku, v.product_id, p.slug, v.archived_at IS NOT NULL AS archived
  FROM variants v
  JOIN products p ON p.id = v.product_id
 WHERE v.sku IN (:skus)
 LIMIT 1000;

-- name: list_categories -> rows
SELECT c.id, c.parent_id, c.name FROM categories c ORDER BY c.id LIMIT 10000;

-- name: set_picture -> count
-- Variants show a picture of their own product only.
UPDATE variants v JOIN images i ON i.product_id = v.product_id SET v.image_id = i.id WHERE v.id = :variant_id AND i.id = :image_id;

-- name: add -> id
-- From the command line one comes in when it is done already.
INSERT INTO imports (format, status, file_name, file_path, user_id, total, done, result, created_at, finished_at)
VALUES (:format, :status, :file_name, :file_path, :user_id, :total, IF(:status = 'done', :total, 0), :result,
        UTC_TIMESTAMP(6), IF(:status = 'done', UTC_TIMESTAMP(6), NULL));

-- part: import
SELECT id, format, status, file_name, file_path, user_id, total, done, result, created_at, started_at, finished_at FROM imports

-- name: get -> row
{import} WHERE id = :id;

-- name: list_newest -> rows
SELECT id, format, status, file_name, user_id, total, done, created_at, started_at, finished_at
  FROM imports
 WHERE id < :before
 ORDER BY id DESC
 LIMIT :limit;

-- name: count -> value
SELECT COUNT(*) FROM imports;

-- name: next_due -> row
-- One that runs although no runner is at it was cut off: nothing of it is in the shop.
{import} WHERE status IN ('checking', 'waiting', 'running') ORDER BY id LIMIT 1;

-- name: note_check -> count
UPDATE imports SET status = :status, format = :format, total = :total, result = :result WHERE id = :id AND status = 'checking';

-- name: check_again -> count
-- Zero rows: it was started, or its file is gone.
UPDATE imports
   SET status = 'checking', result = :result
 WHERE id = :id AND status IN ('checked', 'refused') AND file_path <> '';

-- name: start -> count
-- Zero rows: it is not one that was looked through and found good.
UPDATE imports SET status = 'waiting', done = 0 WHERE id = :id AND status = 'checked';

-- name: run -> count
UPDATE imports SET status = 'running', done = 0, started_at = UTC_TIMESTAMP(6) WHERE id = :id AND status IN ('waiting', 'running');

-- name: note_progress -> count
UPDATE imports SET done = :done, total = :total WHERE id = :id AND status = 'running';

-- name: finish -> count
-- In the transaction of the work itself. Zero rows: somebody else finished it, and this work is to be undone.
UPDATE imports
   SET status = 'done', done = :total, total = :total, result = :result, finished_at = UTC_TIMESTAMP(6)
 WHERE id = :id AND status = 'running';

-- name: fail -> count
UPDATE imports SET status = 'failed', result = :result, finished_at = UTC_TIMESTAMP(6) WHERE id = :id AND status IN ('checking', 'waiting', 'running');

-- name: list_stale_files -> rows
-- Files are needed until their import is over, and for some days by those who have not decided.
-- A refused file may be checked again with another number format.
SELECT id, file_path
  FROM imports
 WHERE file_path <> '' AND (status IN ('done', 'failed') OR status IN ('checked', 'refused') AND created_at < UTC_TIMESTAMP(6) - INTERVAL :days DAY)
 ORDER BY id
 LIMIT 500;

-- name: forget_file -> count
-- One that nobody started can no longer be.
UPDATE imports SET file_path = '', status = IF(status = 'checked', 'failed', status) WHERE id = :id AND status NOT IN ('waiting', 'running', 'checking');
