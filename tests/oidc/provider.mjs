// A real OpenID provider for the tests: says its port on standard output, ends with its standard input.
// Its one interaction page is answered by any POST; the account is named by the form field "account".
// "services" are clients that get access tokens by themselves (RFC 6749 section 4.4), with the claims given for
// each, as Pro Sante Connect writes them: JWT for the audience they ask for, opaque without one.
import { X509Certificate } from 'node:crypto';
import { createServer } from 'node:http';
import { pathToFileURL } from 'node:url';
import { createRequire } from 'node:module';

const require = createRequire(process.argv[2] + '/');
const { default: Provider } = await import(pathToFileURL(require.resolve('oidc-provider')));
const { generateKeyPair, exportJWK } = await import(pathToFileURL(require.resolve('jose')));

const given = JSON.parse(process.argv[3]); // {client, accounts, acr, alg, services}
const pair = await generateKeyPair(given.alg, { extractable: true });
const key = { ...(await exportJWK(pair.privateKey)), alg: given.alg, use: 'sig', kid: 'k1' };
const services = given.services ?? {};
const server = createServer();
server.listen(0, '127.0.0.1', () => {
  const port = server.address().port;
  const issuer = `http://127.0.0.1:${port}`;
  const provider = new Provider(issuer, {
    clients: [{
      client_id: 'passerelle',
      client_secret: given.secret,
      redirect_uris: [given.redirect],
      response_types: ['code'],
      grant_types: ['authorization_code'],
      token_endpoint_auth_method: 'client_secret_post',
      id_token_signed_response_alg: given.alg,
      userinfo_signed_response_alg: given.signed ? given.alg : undefined,
    }, ...Object.keys(services).map((name) => ({
      client_id: name,
      client_secret: given.secret,
      redirect_uris: [],
      response_types: [],
      grant_types: ['client_credentials'],
      token_endpoint_auth_method: 'client_secret_post',
      introspection_endpoint_auth_method: 'client_secret_basic',
      tls_client_certificate_bound_access_tokens: name.endsWith('-bound'),
    }))],
    jwks: { keys: [key] },
    acrValues: ['eidas1', 'eidas2', 'eidas3'],
    claims: {
      openid: ['sub', 'acr'],
      given_name: ['given_name'], family_name: ['family_name'], birthdate: ['birthdate'],
      gender: ['gender'], birthplace: ['birthplace'], birthcountry: ['birthcountry'],
    },
    scopes: ['openid', 'given_name', 'family_name', 'birthdate', 'gender', 'birthplace', 'birthcountry'],
    features: {
      devInteractions: { enabled: false }, jwtUserinfo: { enabled: true }, userinfo: { enabled: true },
      clientCredentials: { enabled: true },
      introspection: { enabled: true, allowedPolicy: () => true },
      mTLS: {
        enabled: true,
        certificateBoundAccessTokens: true,
        // a proxy that ends TLS would say it in a header; here the test is that proxy
        getCertificate: (ctx) => ctx.get('x-certificate') && new X509Certificate(Buffer.from(ctx.get('x-certificate'), 'base64')),
      },
      resourceIndicators: {
        enabled: true,
        defaultResource: () => undefined,
        useGrantedResource: () => true,
        getResourceServerInfo: (ctx, resource) => ({
          scope: '', audience: resource, accessTokenFormat: 'jwt', accessTokenTTL: 600, jwt: { sign: { alg: given.alg } },
        }),
      },
    },
    extraTokenClaims: (ctx, token) => services[token.clientId],
    pkce: { required: () => true, methods: ['S256'] },
    cookies: { keys: ['only for tests'] },
    interactions: { url: (ctx, interaction) => `/interaction/${interaction.uid}` },
    findAccount: (ctx, id) => ({ accountId: id, claims: () => ({ sub: id, ...given.accounts[id] }) }),
    loadExistingGrant: async (ctx) => {
      const grant = new ctx.oidc.provider.Grant({ clientId: 'passerelle', accountId: ctx.oidc.session.accountId });
      grant.addOIDCScope(ctx.oidc.params.scope);
      await grant.save();
      return grant;
    },
  });
  const answer = provider.callback();
  server.on('request', async (req, res) => {
    if (req.url.startsWith('/interaction/')) {
      const account = req.headers['x-account'];
      await provider.interactionFinished(req, res, { login: { accountId: account, acr: given.acr } });
      return;
    }
    answer(req, res);
  });
  process.stdout.write(`${port}\n`);
});
process.stdin.resume();
process.stdin.on('end', () => process.exit(0));
