-- name: add -> count
INSERT INTO events (at, kind, actor_id, subject_kind, subject_id, request_id, detail)
VALUES (UTC_TIMESTAMP(6), :kind, :actor_id, :subject_kind, :subject_id, :request_id, :detail);
