"""JSON for programs: thin routes over the service's verbs, problems by RFC 9457, and an OpenAPI document that is true."""
