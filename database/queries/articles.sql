-- name: list_newest -> rows
SELECT a.slug, a.version, a.title, a.markdown, a.saved_at, u.username AS saved_by
  FROM article_versions a
  LEFT JOIN users u ON u.id = a.actor_id
 WHERE a.version = (SELECT MAX(n.version) FROM article_versions n WHERE n.slug = a.slug)
 ORDER BY a.slug
 LIMIT 20;

-- name: get -> row
-- The newest version, or the one that is named.
SELECT a.slug, a.version, a.title, a.markdown, a.saved_at, u.username AS saved_by
  FROM article_versions a
  LEFT JOIN users u ON u.id = a.actor_id
 WHERE a.slug = :slug AND (:version IS NULL OR a.version = :version)
 ORDER BY a.version DESC
 LIMIT 1;

-- name: add -> count
-- Zero rows: somebody else saved this page since its version was read.
INSERT IGNORE INTO article_versions (slug, version, title, markdown, actor_id, saved_at)
VALUES (:slug, :version, :title, :markdown, :actor_id, UTC_TIMESTAMP(6));
