-- name: list_of -> rows
-- The first row is the default.
SELECT id, label, name, line1, line2, city, region, postcode, country, phone
  FROM addresses
 WHERE user_id = :user_id
 ORDER BY preferred_at DESC, id
 LIMIT 100;

-- name: get -> row
SELECT name, line1, line2, city, region, postcode, country, phone
  FROM addresses
 WHERE id = :address_id AND user_id = :user_id;

-- name: add -> id
-- Nothing is added to a full book. Exact, because who adds holds the user's row.
INSERT INTO addresses (user_id, label, name, line1, line2, city, region, postcode, country, phone, preferred_at, created_at)
SELECT :user_id, :label, :name, :line1, :line2, :city, :region, :postcode, :country, :phone, IF(:is_default, UTC_TIMESTAMP(6), NULL), UTC_TIMESTAMP(6)
  FROM DUAL
 WHERE (SELECT COUNT(*) FROM addresses a WHERE a.user_id = :user_id) < :most;

-- name: change -> count
-- The default moves to the address that is named as such; it is never left to none.
UPDATE addresses
   SET label = :label, name = :name, line1 = :line1, line2 = :line2, city = :city, region = :region, postcode = :postcode, country = :country,
       phone = :phone, preferred_at = IF(:is_default, UTC_TIMESTAMP(6), preferred_at)
 WHERE id = :address_id AND user_id = :user_id;

-- name: delete -> count
DELETE FROM addresses WHERE id = :address_id AND user_id = :user_id;
