-- The database image makes the account and its database; backups are tried in a database beside it.
GRANT ALL PRIVILEGES ON `flaskcart\_%`.* TO 'flaskcart'@'%';
