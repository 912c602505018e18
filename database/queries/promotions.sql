-- part: columns
SELECT p.id, p.code, p.name, p.kind, p.value, p.minimum_minor, p.category_id, p.product_id, p.most_uses, p.most_by_customer, p.used_count,
       p.starts_at, p.ends_at, p.active, p.version, p.created_at

-- name: list_running -> rows
-- The automatic discounts and the coupon with this code, as far as they run now; the owner's oldest goes first.
{columns}
  FROM promotions p
 WHERE p.active AND (p.code IS NULL OR p.code = :code)
   AND (p.starts_at IS NULL OR p.starts_at <= UTC_TIMESTAMP(6)) AND (p.ends_at IS NULL OR p.ends_at > UTC_TIMESTAMP(6))
 ORDER BY p.id
 LIMIT 50;

-- name: list_ancestors -> rows
-- Each of these categories with itself and all above it: a promotion for a category is for everything below.
WITH RECURSIVE above (category_id, id) AS (
    SELECT id, id FROM categories WHERE id IN (:category_ids)
     UNION
    SELECT a.category_id, c.parent_id FROM categories c JOIN above a ON c.id = a.id WHERE c.parent_id IS NOT NULL
)
SELECT category_id, id FROM above LIMIT 5000;

-- name: count_by_customer -> value
SELECT COUNT(*) FROM promotion_uses WHERE promotion_id = :promotion_id AND customer = :customer AND released_at IS NULL;

-- name: use -> count
-- Zero rows: it ended meanwhile, or its last use went to somebody else. The row stays locked until the order is there, so that the
-- uses of one customer are counted exactly.
UPDATE promotions
   SET used_count = used_count + 1
 WHERE id = :promotion_id AND active AND (most_uses IS NULL OR used_count < most_uses)
   AND (ends_at IS NULL OR ends_at > UTC_TIMESTAMP(6));

-- name: note_use -> id
INSERT INTO promotion_uses (promotion_id, order_id, customer, amount_minor, used_at)
VALUES (:promotion_id, :order_id, :customer, :amount_minor, UTC_TIMESTAMP(6));

-- name: give_back -> count
UPDATE promotions p
  JOIN promotion_uses u ON u.promotion_id = p.id
   SET p.used_count = p.used_count - 1
 WHERE u.order_id = :order_id AND u.released_at IS NULL;

-- name: release -> count
UPDATE promotion_uses SET released_at = UTC_TIMESTAMP(6) WHERE order_id = :order_id AND released_at IS NULL;

-- name: list_all -> rows
{columns}
  FROM promotions p
 WHERE (:after_id IS NULL OR p.id < :after_id) AND (:prefix IS NULL OR p.code LIKE :prefix ESCAPE '!' OR p.name LIKE :prefix ESCAPE '!')
 ORDER BY p.id DESC
 LIMIT :limit;

-- name: count_all -> value
SELECT COUNT(*) FROM promotions p WHERE (:prefix IS NULL OR p.code LIKE :prefix ESCAPE '!' OR p.name LIKE :prefix ESCAPE '!');

-- name: get -> row
{columns}
  FROM promotions p
 WHERE p.id = :promotion_id;

-- name: add -> id
INSERT INTO promotions (code, name, kind, value, minimum_minor, category_id, product_id, most_uses, most_by_customer, starts_at, ends_at, active, created_at)
VALUES (:code, :name, :kind, :value, :minimum_minor, :category_id, :product_id, :most_uses, :most_by_customer, :starts_at, :ends_at, :active, UTC_TIMESTAMP(6));

-- name: change -> count
-- Zero rows: somebody changed it meanwhile, or it was used more often than the new limit says.
UPDATE promotions
   SET code = :code, name = :name, kind = :kind, value = :value, minimum_minor = :minimum_minor, category_id = :category_id,
       product_id = :product_id, most_uses = :most_uses, most_by_customer = :most_by_customer, starts_at = :starts_at, ends_at = :ends_at,
       active = :active, version = version + 1
 WHERE id = :promotion_id AND version = :version AND (:most_uses IS NULL OR used_count <= :most_uses);

-- name: get_end -> value
SELECT UTC_TIMESTAMP(6) + INTERVAL :days DAY;

-- name: delete -> count
-- What was used stays, switched off, for the books.
DELETE FROM promotions WHERE id = :promotion_id AND NOT EXISTS (SELECT 1 FROM promotion_uses u WHERE u.promotion_id = promotions.id);

-- name: switch_off -> count
UPDATE promotions SET active = FALSE, version = version + 1 WHERE id = :promotion_id;

-- name: get_scope -> row
-- Whether what a promotion is to be for exists; one that is for everything names neither.
SELECT :category_id IS NULL OR EXISTS (SELECT 1 FROM categories c WHERE c.id = :category_id) AS category,
       :product_id IS NULL OR EXISTS (SELECT 1 FROM products p WHERE p.id = :product_id) AS product;
