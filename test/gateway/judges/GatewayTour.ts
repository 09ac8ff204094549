// The kubectl tour through a gateway beside the same cluster reached directly: the scenes, and the differences that stay.
// Owns these two lists; a difference that is not in the second fails the tour.
import { readFileSync } from "node:fs"
import type { Accepted } from "../../apiserver/kubectl/Accepted.ts"
import { scenes } from "../../apiserver/kubectl/Scenes.ts"
import type { Scene } from "../../apiserver/kubectl/Tour.ts"
import { connected } from "../../front/Connected.ts"
import { type FrontSides, startSides } from "../../front/Sides.ts"
import type { Upstream, UpstreamPrograms } from "../../front/Upstream.ts"
import { manifestOf, type Spec, startGateway } from "./Gateway.ts"

export const gatewayScenes: ReadonlyArray<Scene> = [...connected, ...scenes]

/** The gateway as a bearer of a token: with nothing else, upgraded connections are where such gateways fail. */
const byToken = ({ authority }: Upstream): Spec => ({
  clientConfig: {
    bearerToken: Buffer.from("token-of-owner").toString("base64"),
    caData: readFileSync(authority.caFile).toString("base64")
  }
})

/** Two clusters, the second through a gateway that proves itself by certificate or by token. */
export const startGatewaySides = (
  programs: UpstreamPrograms & { readonly kubectl: string },
  proof: "certificate" | "token" = "certificate"
): Promise<FrontSides> =>
  startSides(programs, async (upstream) => {
    const { folder, owner } = upstream
    const manifest = manifestOf(upstream, proof === "token" ? byToken(upstream) : {})
    const gateway = await startGateway({ tour: manifest }, { folder, probe: owner })
    return { access: gateway.through(owner), stop: gateway.stop }
  })

export const acceptedOfGateways: ReadonlyArray<Accepted> = [
  {
    reason:
      "A certificate's fingerprint is an extra that kube-apiserver notes where it sees the certificate itself; to pass it on, the gateway would need the right to impersonate that extra.",
    explains: (_scene, command, ours, real) =>
      command.startsWith("kubectl auth whoami") &&
      ours.replaceAll(/\s/g, "") ===
        real
          .replaceAll(/^.*X509SHA256=.*\n/gm, "")
          .replaceAll(/^ *extra:\n *authentication.kubernetes.io\/credential-id:\n/gm, "")
          .replaceAll(/\s/g, "")
  }
]
