"""RESP, the Redis serialization protocol: requests in, replies out (https://redis.io/docs/latest/develop/reference/protocol-spec/)."""
