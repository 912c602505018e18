-- name: add -> id
INSERT INTO attachments (name, width, height, created_at) VALUES (:name, :width, :height, UTC_TIMESTAMP(6));

-- name: attach -> count
-- Fewer rows than names: one of them was never uploaded, came too long ago, or belongs to another message.
UPDATE attachments
   SET ticket_message_id = :ticket_message_id, contact_message_id = :contact_message_id
 WHERE name IN (:names) AND ticket_message_id IS NULL AND contact_message_id IS NULL;

-- name: list_of_tickets -> rows
SELECT ticket_message_id AS message_id, name, width, height, created_at
  FROM attachments
 WHERE ticket_message_id IN (:message_ids)
 ORDER BY ticket_message_id, id
 LIMIT 100000;

-- name: list_of_contacts -> rows
SELECT contact_message_id AS message_id, name, width, height, created_at
  FROM attachments
 WHERE contact_message_id IN (:message_ids)
 ORDER BY contact_message_id, id
 LIMIT 100000;

-- name: is_of -> value
-- Whether it stands where this person may read: in a ticket of theirs, or in a message that they wrote while signed in.
SELECT EXISTS (SELECT 1
                 FROM attachments a
                 JOIN ticket_messages m ON m.id = a.ticket_message_id AND m.kind <> 'note'
                 JOIN tickets t ON t.id = m.ticket_id
                WHERE a.name = :name AND t.user_id = :user_id)
    OR EXISTS (SELECT 1 FROM attachments a JOIN contact_messages c ON c.id = a.contact_message_id WHERE a.name = :name AND c.user_id = :user_id);

-- name: is_attached -> value
SELECT EXISTS (SELECT 1 FROM attachments WHERE name = :name AND (ticket_message_id IS NOT NULL OR contact_message_id IS NOT NULL));

-- name: list_of_person -> rows
-- What goes with a person: in their tickets, whoever sent it, and in what they wrote by the contact form.
SELECT a.name
  FROM tickets t
  JOIN ticket_messages m ON m.ticket_id = t.id
  JOIN attachments a ON a.ticket_message_id = m.id
 WHERE t.user_id = :user_id
 UNION ALL
SELECT a.name
  FROM contact_messages c
  JOIN attachments a ON a.contact_message_id = c.id
 WHERE c.user_id = :user_id OR c.email_key = :email_key
 LIMIT 100000;

-- name: delete_unattached -> count
DELETE FROM attachments
 WHERE ticket_message_id IS NULL AND contact_message_id IS NULL AND created_at < UTC_TIMESTAMP(6) - INTERVAL :seconds SECOND
 ORDER BY created_at
 LIMIT 1000;

-- name: list_known -> rows
SELECT name FROM attachments WHERE name IN (:names) LIMIT 1000;
