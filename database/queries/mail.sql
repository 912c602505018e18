-- name: add -> id
INSERT INTO mails (message_id, template, recipient, data, order_id, user_id, invoice_id, created_at, due_at)
VALUES (:message_id, :template, :recipient, :data, :order_id, :user_id, :invoice_id, UTC_TIMESTAMP(6), UTC_TIMESTAMP(6));

-- name: add_all -> count
INSERT INTO mails (message_id, template, recipient, data, user_id, created_at, due_at)
SELECT made.message_id, :template, made.recipient, made.data, NULLIF(made.user_id, 0), UTC_TIMESTAMP(6), UTC_TIMESTAMP(6)
  FROM JSON_TABLE(:mails, '$[*]' COLUMNS (message_id VARCHAR(120) PATH '$[0]', recipient VARCHAR(254) PATH '$[1]', data MEDIUMTEXT PATH '$[2]',
                                          user_id BIGINT UNSIGNED PATH '$[3]')) made;

-- name: list_added -> rows
SELECT id, message_id FROM mails WHERE message_id IN (:message_ids) LIMIT 1000;

-- name: list_due -> rows
SELECT id
  FROM mails
 WHERE status = 'queued' AND due_at <= UTC_TIMESTAMP(6)
   AND (leased_until IS NULL OR leased_until <= UTC_TIMESTAMP(6))
 ORDER BY due_at, id
 LIMIT :most;

-- name: lease -> count
-- Zero rows: another worker has it. A lease of a worker that died ends by itself, and the mail goes out under the same Message-ID.
UPDATE mails
   SET leased_until = UTC_TIMESTAMP(6) + INTERVAL :seconds SECOND, attempts = attempts + 1
 WHERE id = :id AND status = 'queued' AND due_at <= UTC_TIMESTAMP(6)
   AND (leased_until IS NULL OR leased_until <= UTC_TIMESTAMP(6));

-- name: get -> row
SELECT m.id, m.message_id, m.template, m.recipient, m.data, m.attempts, m.created_at, m.created_at < UTC_TIMESTAMP(6) - INTERVAL :days DAY AS last_chance,
       d.document, REPLACE(d.kind, '_', '-') AS document_kind, d.number AS document_number
  FROM mails m
  LEFT JOIN invoices d ON d.id = m.invoice_id
 WHERE m.id = :id;

-- name: note_sent -> count
-- What it said is erased: it may have held a code. Of the last mail to somebody who was erased nor is kept to whom it went.
UPDATE mails
   SET recipient = IF(template = 'erased', '', recipient), status = 'sent', sent_at = UTC_TIMESTAMP(6), data = '', leased_until = NULL, last_error = ''
 WHERE id = :id AND status = 'queued';

-- name: put_off -> count
-- A mail that is given up tells of somebody who was erased no more than a sent one.
UPDATE mails
   SET recipient = IF(:status = 'failed' AND template = 'erased', '', recipient), data = IF(:status = 'failed' AND template = 'erased', '', data),
       last_error = IF(:status = 'failed' AND template = 'erased', '', :error), status = :status, leased_until = NULL, due_at = UTC_TIMESTAMP(6) + INTERVAL :seconds SECOND
 WHERE id = :id AND status = 'queued';

-- part: row
SELECT m.id, m.template, m.recipient, IF(m.status = 'queued', IF(m.last_error = '', 'waiting', 'delayed'), m.status) AS status, m.attempts, m.last_error,
       m.created_at, m.due_at, m.sent_at, o.number AS order_number

-- part: wanted
 WHERE (:status IS NULL OR m.status = :status)
   AND (:delayed IS NULL OR (m.last_error <> '') = :delayed)
   AND (:template IS NULL OR m.template = :template)
   AND (:recipient IS NULL OR m.recipient LIKE :recipient ESCAPE '!')
   AND (:any_order OR m.order_id IN (:order_ids))

-- name: list_all -> rows
-- What a mail says is never among it. The page is cut first; only its rows are then dressed.
-- sort created: m.id DESC AFTER m.id < :after_id
-- sort created_asc: m.id AFTER m.id > :after_id
{row}
  FROM (SELECT m.id
          FROM mails m
         {wanted}
           AND (:after_id IS NULL OR {after})
         ORDER BY {sort}
         LIMIT :limit) page
  JOIN mails m ON m.id = page.id
  LEFT JOIN orders o ON o.id = m.order_id
 ORDER BY {sort};

-- name: count_all -> value
SELECT COUNT(*) FROM (SELECT 1 FROM mails m {wanted} ORDER BY m.id LIMIT :most) found;

-- name: find_orders -> rows
SELECT id FROM orders WHERE number LIKE :number ESCAPE '!' ORDER BY number LIMIT :most;

-- name: retry -> count
-- Zero rows: it is sent, being sent, was not tried yet, was erased, or its code is no longer good.
UPDATE mails
   SET status = 'queued', due_at = UTC_TIMESTAMP(6)
 WHERE id = :id AND data <> '' AND (status = 'failed' OR status = 'queued' AND last_error <> '')
   AND (leased_until IS NULL OR leased_until <= UTC_TIMESTAMP(6))
   AND (template NOT IN (:codes) OR created_at > UTC_TIMESTAMP(6) - INTERVAL :minutes MINUTE);
