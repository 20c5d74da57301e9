-- Three databases of the platform, and who may use them. Names of tables and columns are those of the real programs.
CREATE USER 'repl'@'%' IDENTIFIED BY 'replpw';
GRANT REPLICATION SLAVE ON *.* TO 'repl'@'%';

-- The monitoring user: SLAVE MONITOR is what MariaDB 10.5.9 and later want for the state of a replica.
CREATE USER 'mailtop'@'%' IDENTIFIED BY 'mailtoppw';
GRANT PROCESS, BINLOG MONITOR, SLAVE MONITOR ON *.* TO 'mailtop'@'%';
-- The same with too little, to see the error.
CREATE USER 'mailtop_min'@'%' IDENTIFIED BY 'mailtoppw';

-- ── postfix: PostfixAdmin ──────────────────────────────────────────────────────────────────────────────────────────
CREATE DATABASE postfix;
CREATE USER 'postfix'@'%' IDENTIFIED BY 'postfixpw';
GRANT ALL ON postfix.* TO 'postfix'@'%';
GRANT SELECT ON postfix.* TO 'mailtop'@'%';
USE postfix;

CREATE TABLE domain (
  domain VARCHAR(255) PRIMARY KEY, description VARCHAR(255) NOT NULL DEFAULT '', aliases INT NOT NULL DEFAULT 0,
  mailboxes INT NOT NULL DEFAULT 0, maxquota BIGINT NOT NULL DEFAULT 0, quota BIGINT NOT NULL DEFAULT 0,
  transport VARCHAR(255) NOT NULL DEFAULT 'virtual', backupmx TINYINT NOT NULL DEFAULT 0,
  created DATETIME NOT NULL DEFAULT NOW(), modified DATETIME NOT NULL DEFAULT NOW(), active TINYINT NOT NULL DEFAULT 1);
CREATE TABLE mailbox (
  username VARCHAR(255) PRIMARY KEY, password VARCHAR(255) NOT NULL, name VARCHAR(255) NOT NULL DEFAULT '',
  maildir VARCHAR(255) NOT NULL, quota BIGINT NOT NULL DEFAULT 1073741824, local_part VARCHAR(255) NOT NULL,
  domain VARCHAR(255) NOT NULL, created DATETIME NOT NULL DEFAULT NOW(), modified DATETIME NOT NULL DEFAULT NOW(),
  active TINYINT NOT NULL DEFAULT 1, KEY (domain));
CREATE TABLE alias (
  address VARCHAR(255) PRIMARY KEY, goto TEXT NOT NULL, domain VARCHAR(255) NOT NULL,
  created DATETIME NOT NULL DEFAULT NOW(), modified DATETIME NOT NULL DEFAULT NOW(), active TINYINT NOT NULL DEFAULT 1);
CREATE TABLE quota2 (username VARCHAR(100) PRIMARY KEY, bytes BIGINT NOT NULL DEFAULT 0, messages INT NOT NULL DEFAULT 0);
CREATE TABLE log (
  id INT AUTO_INCREMENT PRIMARY KEY, timestamp DATETIME NOT NULL DEFAULT NOW(), username VARCHAR(255) NOT NULL,
  domain VARCHAR(255) NOT NULL, action VARCHAR(255) NOT NULL, data TEXT NOT NULL);

INSERT INTO domain (domain, description) VALUES ('example.test', 'head office'), ('branch.test', 'branch');
INSERT INTO mailbox (username, password, maildir, local_part, domain)
  SELECT CONCAT(name, '@example.test'), CONCAT('{PLAIN}', name, 'pw'), CONCAT('example.test/', name, '/'), name, 'example.test'
  FROM (SELECT 'alice' AS name UNION SELECT 'bob' UNION SELECT 'carol' UNION SELECT 'postmaster'
        UNION SELECT CONCAT('user', LPAD(seq, 2, '0')) FROM seq_1_to_20) AS names;
INSERT INTO mailbox (username, password, maildir, local_part, domain)
  VALUES ('dave@branch.test', '{PLAIN}davepw', 'branch.test/dave/', 'dave', 'branch.test');
-- A mailbox that is full as soon as it holds one message.
INSERT INTO mailbox (username, password, maildir, quota, local_part, domain)
  VALUES ('full@example.test', '{PLAIN}fullpw', 'example.test/full/', 100, 'full', 'example.test');
INSERT INTO alias (address, goto, domain) VALUES ('sales@example.test', 'bob@example.test,carol@example.test', 'example.test');

-- ── sa40: SpamAssassin's Bayes, TxRep and preferences ─────────────────────────────────────────────────────────────
CREATE DATABASE sa40;
CREATE USER 'sa'@'%' IDENTIFIED BY 'sapw';
GRANT ALL ON sa40.* TO 'sa'@'%';
GRANT SELECT ON sa40.* TO 'mailtop'@'%';
USE sa40;

CREATE TABLE bayes_vars (
  id INT AUTO_INCREMENT PRIMARY KEY, username VARCHAR(200) NOT NULL DEFAULT '', spam_count INT NOT NULL DEFAULT 0,
  ham_count INT NOT NULL DEFAULT 0, token_count INT NOT NULL DEFAULT 0, last_expire INT NOT NULL DEFAULT 0,
  last_atime_delta INT NOT NULL DEFAULT 0, last_expire_reduce INT NOT NULL DEFAULT 0,
  oldest_token_age INT NOT NULL DEFAULT 2147483647, newest_token_age INT NOT NULL DEFAULT 0, UNIQUE (username));
CREATE TABLE bayes_token (
  id INT NOT NULL DEFAULT 0, token BINARY(5) NOT NULL, spam_count INT NOT NULL DEFAULT 0, ham_count INT NOT NULL DEFAULT 0,
  atime INT NOT NULL DEFAULT 0, PRIMARY KEY (id, token), KEY (id, atime));
CREATE TABLE bayes_seen (
  id INT NOT NULL DEFAULT 0, msgid VARBINARY(200) NOT NULL DEFAULT '', flag CHAR(1) NOT NULL DEFAULT '', PRIMARY KEY (id, msgid));
CREATE TABLE bayes_expire (id INT NOT NULL DEFAULT 0, runtime INT NOT NULL DEFAULT 0, KEY (id));
CREATE TABLE bayes_global_vars (variable VARCHAR(30) NOT NULL PRIMARY KEY, value VARCHAR(200) NOT NULL DEFAULT '');
INSERT INTO bayes_global_vars VALUES ('VERSION', '3');
CREATE TABLE txrep (
  username VARCHAR(100) NOT NULL DEFAULT '', email VARCHAR(255) NOT NULL DEFAULT '', ip VARCHAR(40) NOT NULL DEFAULT '',
  msgcount INT NOT NULL DEFAULT 0, totscore FLOAT NOT NULL DEFAULT 0, signedby VARCHAR(255) NOT NULL DEFAULT '',
  last_hit TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP ON UPDATE CURRENT_TIMESTAMP,
  PRIMARY KEY (username, email, signedby, ip));
CREATE TABLE userpref (
  prefid INT AUTO_INCREMENT PRIMARY KEY, username VARCHAR(100) NOT NULL DEFAULT '', preference VARCHAR(50) NOT NULL DEFAULT '',
  value VARCHAR(100) NOT NULL DEFAULT '', KEY (username));

-- ── piler: the archive ────────────────────────────────────────────────────────────────────────────────────────────
CREATE DATABASE piler CHARACTER SET utf8mb4;
CREATE USER 'piler'@'%' IDENTIFIED BY 'pilerpw';
GRANT ALL ON piler.* TO 'piler'@'%';
GRANT SELECT ON piler.* TO 'mailtop'@'%';
USE piler;

CREATE TABLE metadata (
  id BIGINT UNSIGNED AUTO_INCREMENT PRIMARY KEY, `from` VARCHAR(255) NOT NULL, fromdomain VARCHAR(255) NOT NULL,
  subject TEXT, spam TINYINT DEFAULT 0, arrived INT UNSIGNED NOT NULL, sent INT UNSIGNED NOT NULL,
  retained INT UNSIGNED NOT NULL, deleted TINYINT DEFAULT 0, size INT DEFAULT 0, hlen INT DEFAULT 0,
  direction INT DEFAULT 0, attachments INT DEFAULT 0, piler_id CHAR(36) NOT NULL, message_id VARCHAR(128) NOT NULL,
  reference VARCHAR(128) NOT NULL, digest CHAR(64) NOT NULL, bodydigest CHAR(64) NOT NULL, vcode CHAR(64) DEFAULT NULL,
  UNIQUE (message_id), KEY (piler_id), KEY (arrived), KEY (retained), KEY (bodydigest), KEY (deleted));
CREATE TABLE rcpt (
  id BIGINT UNSIGNED NOT NULL, `to` VARCHAR(128) NOT NULL, todomain VARCHAR(128) NOT NULL, UNIQUE (id, `to`), KEY (todomain));
CREATE TABLE attachment (
  id BIGINT UNSIGNED AUTO_INCREMENT PRIMARY KEY, piler_id CHAR(36) NOT NULL, attachment_id INT NOT NULL,
  sig CHAR(64) NOT NULL, name TINYBLOB, type VARCHAR(128), size INT DEFAULT 0, ptr BIGINT UNSIGNED DEFAULT 0,
  deleted TINYINT DEFAULT 0, KEY (piler_id), KEY (sig));
CREATE TABLE counter (
  rcvd BIGINT UNSIGNED DEFAULT 0, virus BIGINT UNSIGNED DEFAULT 0, duplicate BIGINT UNSIGNED DEFAULT 0,
  `ignore` BIGINT UNSIGNED DEFAULT 0, size BIGINT UNSIGNED DEFAULT 0, stored_size BIGINT UNSIGNED DEFAULT 0);
INSERT INTO counter VALUES (0, 0, 0, 0, 0, 0);
CREATE TABLE sph_index (
  id BIGINT UNSIGNED PRIMARY KEY, `from` TINYBLOB, `to` BLOB, fromdomain TINYBLOB, todomain BLOB, subject BLOB,
  arrived INT UNSIGNED NOT NULL, sent INT UNSIGNED NOT NULL, body MEDIUMBLOB, size INT DEFAULT 0, direction INT DEFAULT 0,
  folder INT DEFAULT 0, attachments INT DEFAULT 0, attachment_types TEXT);
CREATE TABLE sph_counter (counter_id BIGINT PRIMARY KEY, max_doc_id BIGINT NOT NULL);
CREATE TABLE `option` (`key` CHAR(64) NOT NULL PRIMARY KEY, value CHAR(32) NOT NULL);
INSERT INTO `option` VALUES ('enable_purge', '1');
FLUSH PRIVILEGES;
