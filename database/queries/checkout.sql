-- name: get_standing -> row
-- What a quote or an order goes by beside the goods and the owner's settings, in one look: the clock, the version of the owner's terms
-- (0 while they have none of their own, and nobody need accept them), the account's address (NULL once it is gone), and whether
-- there is any promotion.
SELECT UTC_TIMESTAMP(6) AS now,
       (SELECT CAST(COALESCE(MAX(a.version), 0) AS SIGNED) FROM article_versions a WHERE a.slug = 'terms') AS terms_version,
       (SELECT u.email
          FROM users u
         WHERE u.id = :user_id AND u.status = 'active' AND (u.blocked_until IS NULL OR u.blocked_until <= UTC_TIMESTAMP(6))) AS email,
       EXISTS (SELECT 1 FROM promotions p WHERE p.active) AS promotions;
