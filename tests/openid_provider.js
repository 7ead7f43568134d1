// A certified OpenID provider, as it is, with two accounts by name: who logs in as NAME is NAME, of the group NAME.
const { Provider } = require("oidc-provider");
const { createServer } = require("node:http");
const { randomUUID } = require("node:crypto");

const native = { application_type: "native", token_endpoint_auth_method: "none" };
const clients = [
  {
    ...native,
    client_id: "gigawatt",
    grant_types: ["authorization_code"],
    response_types: ["code"],
    redirect_uris: ["http://127.0.0.1/v1/sign-in-callback"],
  },
  {
    ...native,
    client_id: "gigawatt-cli",
    grant_types: ["urn:ietf:params:oauth:grant-type:device_code", "refresh_token"],
    response_types: [],
    redirect_uris: [],
  },
];

const server = createServer();
server.listen(0, "127.0.0.1", () => {
  const issuer = `http://127.0.0.1:${server.address().port}`;
  const provider = new Provider(issuer, {
    clients,
    claims: { openid: ["sub", "jti"], groups: ["groups"], email: ["email", "email_verified"] },
    scopes: ["openid", "offline_access"],
    conformIdTokenClaims: false,
    features: { deviceFlow: { enabled: true } },
    cookies: { keys: ["of these tests"] },
    issueRefreshToken: async (ctx, client) => client.grantTypeAllowed("refresh_token"),
    findAccount: async (ctx, id) => ({
      accountId: id,
      // As most providers do, no two tokens are the same: without `jti` those of one second would be.
      claims: async () => ({
        sub: id,
        jti: randomUUID(),
        groups: [id],
        email: `${id}@example.org`,
        email_verified: true,
      }),
    }),
  });
  server.on("request", provider.callback());
  process.stdout.write(`${issuer}\n`);
});
process.stdin.on("end", () => process.exit(0)).resume();
