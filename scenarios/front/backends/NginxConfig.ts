// nginx's configuration as a front of a Kubernetes API, set up as somebody who knows it would: HTTP/2 and TLS towards clients, kept
// connections over TLS towards the upstream (HTTP/1.1, which is what it speaks there), the certificate's user passed on by
// impersonation, watches unbuffered, limits answered by 429. Owns that text; processes are Nginx.ts's.
import type { Front, FrontLimit } from "../Front.ts"
import { clusterHost } from "../load/FrontEndpoint.ts"

/** What one instance is configured with. */
export interface NginxSettings {
  readonly front: Pick<Front, "limits">
  readonly port: number
  readonly upstreamPorts: ReadonlyArray<number>
  readonly directory: string
  /** Files: the run's authority for clients, the server's pair, the front's pair, the upstream's authority. */
  readonly files: {
    readonly ca: string
    readonly serverCert: string
    readonly serverKey: string
    readonly frontCert: string
    readonly frontKey: string
    readonly upstreamCa: string
  }
  readonly isRoot: boolean
  /** Changes with every configuration, and nothing else does. */
  readonly turn: number
}

/** Connections to the upstream that are kept while idle. */
const keptConnections = 512
const connectionsMax = 16_384

const keyOf = ({ name }: FrontLimit): string => `$key_${name.replaceAll(/[^a-z0-9]/g, "_")}`

const zoneOf = (limit: FrontLimit): string => {
  const user = limit.user === undefined ? "" : `  ~(?:CN=|wharf-)${limit.user}-\\d+ ${limit.name};\n`
  const map = `map "$ssl_client_s_dn $http_authorization" ${keyOf(limit)} {\n  default ${limit.user === undefined ? limit.name : '""'};\n${user}}\n`
  const { inFlight, name, qps } = limit
  const zone =
    inFlight === undefined
      ? `limit_req_zone ${keyOf(limit)} zone=${name}:1m rate=${Math.max(1, Math.round(qps ?? 1))}r/s;`
      : `limit_conn_zone ${keyOf(limit)} zone=${name}:1m;`
  return `${map}${zone}\n`
}

const ruleOf = ({ burst, inFlight, name, qps }: FrontLimit): string =>
  inFlight === undefined
    ? `    limit_req zone=${name} burst=${Math.max(1, Math.round(burst ?? qps ?? 1))} nodelay;\n`
    : `    limit_conn ${name} ${inFlight};\n`

const proxied = (files: NginxSettings["files"], buffering: "on" | "off"): string => `
      proxy_pass https://upstream;
      proxy_http_version 1.1;
      proxy_buffering ${buffering};
      proxy_read_timeout 1h;
      proxy_set_header Host ${clusterHost};
      proxy_set_header Connection "";
      proxy_set_header Impersonate-User $peer_user;
      proxy_set_header Impersonate-Group $peer_group;
      proxy_ssl_certificate ${files.frontCert};
      proxy_ssl_certificate_key ${files.frontKey};
      proxy_ssl_trusted_certificate ${files.upstreamCa};
      proxy_ssl_verify on;
      proxy_ssl_name ${clusterHost};
      proxy_ssl_server_name on;
      proxy_ssl_session_reuse on;`

/** The configuration file's text. */
export const nginxConfig = ({
  directory,
  files,
  front,
  isRoot,
  port,
  turn,
  upstreamPorts
}: NginxSettings): string => `# configuration ${turn}
daemon off;
${isRoot ? "user root;\n" : ""}worker_processes 1;
pid ${directory}/nginx.pid;
error_log stderr warn;
events { worker_connections ${connectionsMax}; }
http {
  access_log off;
  client_body_temp_path ${directory}/body;
  proxy_temp_path ${directory}/proxy;
  fastcgi_temp_path ${directory}/fastcgi;
  uwsgi_temp_path ${directory}/uwsgi;
  scgi_temp_path ${directory}/scgi;
  tcp_nodelay on;
  keepalive_timeout 1h;
  keepalive_time 24h;
  keepalive_requests 1000000000;
  http2_max_concurrent_streams 10000;
  client_max_body_size 4m;
  client_body_buffer_size 64k;
  proxy_buffer_size 16k;
  proxy_buffers 16 64k;
  proxy_busy_buffers_size 128k;
  limit_req_status 429;
  limit_conn_status 429;
  map $ssl_client_s_dn $peer_user { default ""; ~CN=(?<cn>[^,]+) $cn; }
  map $ssl_client_s_dn $peer_group { default ""; ~O=(?<organization>[^,]+) $organization; }
${front.limits.map(zoneOf).join("")}  upstream upstream {
${upstreamPorts.map((one) => `    server 127.0.0.1:${one} max_fails=0;\n`).join("")}    keepalive ${keptConnections};
    keepalive_requests 1000000000;
    keepalive_time 24h;
    keepalive_timeout 1h;
  }
  server {
    listen 127.0.0.1:${port} ssl http2 backlog=4096;
    server_name ${clusterHost};
    ssl_certificate ${files.serverCert};
    ssl_certificate_key ${files.serverKey};
    ssl_client_certificate ${files.ca};
    ssl_verify_client optional;
    ssl_protocols TLSv1.2 TLSv1.3;
${front.limits.map(ruleOf).join("")}    error_page 418 = @watch;
    location / {
      if ($arg_watch) { return 418; }${proxied(files, "on")}
    }
    location @watch {${proxied(files, "off")}
    }
  }
}
`
