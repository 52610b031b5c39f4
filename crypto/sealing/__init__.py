"""What a bidder's machine makes: envelope, header, body, locks, manifest, recovery (docs/spec/envelope.md)."""
