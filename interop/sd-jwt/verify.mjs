// The other side of tests/interop_sd_jwt.rs: npm `@sd-jwt/core` and `@sd-jwt/sd-jwt-vc` verify and issue what the
// request on stdin names. Request and answer are those of verify.py; a verdict has one member for each of the two.
// The packages are taken from the directory that the first argument names.
import { createHash, createPrivateKey, createPublicKey, randomBytes, sign, verify } from "node:crypto";
import { createRequire } from "node:module";
import { readFileSync } from "node:fs";
import { join } from "node:path";

const require = createRequire(join(process.argv[2], "package.json"));
const { SDJwtInstance } = require("@sd-jwt/core");
const { SDJwtVcInstance } = require("@sd-jwt/sd-jwt-vc");

const ORDER = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n;
const dsaEncoding = "ieee-p1363";

const hasher = (data, alg) => {
  if (alg.toLowerCase() !== "sha-256") throw new Error(`hash algorithm ${alg}`);
  return createHash("sha256").update(typeof data === "string" ? data : Buffer.from(data)).digest();
};
const verifier = (jwk) => (data, signature) =>
  verify("sha256", Buffer.from(data), { key: createPublicKey({ key: jwk, format: "jwk" }), dsaEncoding },
    Buffer.from(signature, "base64url"));
// The library leaves signing to its caller, and so which of the two values of s.
const signer = (jwk, low) => (data) => {
  const key = createPrivateKey({ key: jwk, format: "jwk" });
  const signature = sign("sha256", Buffer.from(data), { key, dsaEncoding });
  const s = BigInt(`0x${signature.subarray(32).toString("hex")}`);
  const wanted = s <= ORDER / 2n === low ? s : ORDER - s;
  return Buffer.concat([signature.subarray(0, 32), Buffer.from(wanted.toString(16).padStart(64, "0"), "hex")])
    .toString("base64url");
};
const instance = (Kind, issuer, holder, low = true) =>
  new Kind({
    signer: issuer.d && signer(issuer, low),
    signAlg: "ES256",
    verifier: verifier(issuer),
    hasher,
    hashAlg: "sha-256",
    saltGenerator: (length) => randomBytes(length).toString("base64url"),
    kbSigner: holder && signer(holder, true),
    kbSignAlg: "ES256",
    kbVerifier: (data, signature, payload) => verifier(payload.cnf.jwk)(data, signature),
  });

async function judge(Kind, { sd_jwt, issuer, at, aud, nonce }) {
  try {
    const { payload, kb } = await instance(Kind, issuer).verify(sd_jwt, { currentDate: at, keyBindingNonce: nonce });
    // The library leaves the audience to its caller.
    if (nonce !== undefined && kb.payload.aud !== aud) throw new Error(`aud ${kb.payload.aud}`);
    return { claims: payload };
  } catch (refusal) {
    return { refused: String(refusal) };
  }
}

async function issue({ claims, hidden, shown, kid, issuer, holder, aud, nonce }) {
  const { d, ...jwk } = holder;
  const payload = { ...claims, cnf: { jwk } };
  const made = (low) => instance(SDJwtVcInstance, issuer, holder, low).issue(payload, { _sd: hidden }, { header: { kid } });
  const whole = await made(true);
  const frame = Object.fromEntries(shown.map((name) => [name, true]));
  const kb = { payload: { iat: claims.iat, aud, nonce } };
  const presentation = await instance(SDJwtVcInstance, issuer, holder).present(whole, frame, { kb });
  return { whole, presentation, high: await made(false) };
}

const request = JSON.parse(readFileSync(0, "utf8"));
const verified = [];
for (const asked of request.verify) {
  verified.push({ core: await judge(SDJwtInstance, asked), vc: await judge(SDJwtVcInstance, asked) });
}
const issued = [];
for (const asked of request.issue) issued.push(await issue(asked));
process.stdout.write(JSON.stringify({ verified, issued }));
