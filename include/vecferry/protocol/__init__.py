"""The rules of the protocol in code: what keeps two collections equal without transactions. Ports and domain only."""
