"""Access control: who may run which command on which keys and channels (https://redis.io/docs/latest/operate/oss_and_stack/management/security/acl/).

A `User` is a name, passwords and selectors; a `Selector` says which commands, keys and channels go together (`selector`, `user`). `decide`
(`decisions`) says whether a user may run a request, and is all that scripts need. `Users` are those of one server (`users`), read from and
written to a file by `file`. What is refused is kept for ACL LOG (`log`). `AccessControl` (`access`) ties it to connections: it gives a
client the guard that asks `decide`, and only a client whose user may not do everything.
"""
