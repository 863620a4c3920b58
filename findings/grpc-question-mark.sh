#!/usr/bin/env bash
# Question:  a gRPC server of the C core (here Python's) is told "unix:…/a?b", or "unix:…/a#b". Does a client of the same library that
#            is told the same string reach it?
# Expected:  yes: they are one library, and whether "?" belongs to the path or not is the same on both sides.
# Found:     no. The server listens at the file "a?b"; the client takes the string for a URI, and looks for "a". Both unescape, so
#            that "a%3Fb" works for both. @grpc/grpc-js takes the path as it is on both sides, "%3F" included.
# Version:   python3-grpcio 1.51.1-3+b1, @grpc/grpc-js 1.14.7 (npm).
# Source:    gRPC, src/core/ext/transport/chttp2/server/chttp2_server.cc, Chttp2ServerAddPort (it makes an address of the text after
#            "unix:") and src/core/lib/uri/uri_parser.cc; grpc-node, packages/grpc-js/src/resolver-uds.ts.
# For you:   a path for gRPC has neither "?", "#" nor "%"; of the three that one is most likely to meet, Go and the C core unescape "%",
#            and Node does not, so that no string reaches one file from all of them.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/lib/common.sh"

npm_packages @grpc/grpc-js@1.14.7
debian python3-grpcio=1.51.1-3+b1 libgrpc29=1.51.1-3+b1 libabsl20220623=20220623.1-1+deb12u2 libre2-9=20220601+dfsg-1+b1 libc-ares2=1.18.1-3
mkdir python node
cat >python.py <<'PY'
import os, sys
sys.path[0] = "tree/usr/lib/python3/dist-packages"
import grpc
from concurrent.futures import ThreadPoolExecutor
class Echo(grpc.GenericRpcHandler):
    def service(self, details):
        return grpc.unary_unary_rpc_method_handler(lambda request, context: request)
for name in sys.argv[1:]:
    address = f"unix:{os.getcwd()}/python/{name}"
    server = grpc.server(ThreadPoolExecutor(1), [Echo()])
    server.add_insecure_port(address)
    server.start()
    made = os.listdir("python")[0]
    with grpc.insecure_channel(address) as channel:
        try:
            answer = channel.unary_unary("/echo/Echo")(b"reached", timeout=10).decode()
        except grpc.RpcError as e:
            answer = e.code().name
    print(f"{name}: {made}, {answer}")
    server.stop(0).wait()
    for left in os.listdir("python"):
        os.unlink("python/" + left)
PY
cat >node.js <<'JS'
const grpc = require('@grpc/grpc-js'), fs = require('fs');
const plain = bytes => bytes;
const method = {path: '/echo/Echo', requestStream: false, responseStream: false,
	requestSerialize: plain, requestDeserialize: plain, responseSerialize: plain, responseDeserialize: plain};
(async () => {
	for (const name of process.argv.slice(2)) {
		const address = `unix:${process.cwd()}/node/${name}`;
		const server = new grpc.Server();
		server.addService({Echo: method}, {Echo: (call, done) => done(null, call.request)});
		await new Promise((bound, failed) => server.bindAsync(address, grpc.ServerCredentials.createInsecure(), e => e ? failed(e) : bound()));
		const made = fs.readdirSync('node')[0];
		const client = new grpc.Client(address, grpc.credentials.createInsecure());
		const answer = await new Promise(seen => client.makeUnaryRequest('/echo/Echo', plain, plain, Buffer.from('reached'),
			{deadline: Date.now() + 10000}, (e, bytes) => seen(e ? grpc.status[e.code] : bytes)));
		console.log(`${name}: ${made}, ${answer}`);
		server.forceShutdown();
		for (const left of fs.readdirSync('node')) fs.unlinkSync('node/' + left);
	}
	process.exit();
})();
JS
LD_LIBRARY_PATH=$libraries timeout 60 python3 python.py plain 'a?b' 'a#b' 'a%3Fb' >python.seen 2>errors || cannot "$(tail -n 1 errors)"
timeout 60 node node.js plain 'a?b' 'a#b' 'a%3Fb' >node.seen 2>errors || cannot "$(tail -n 1 errors)"
echo "each: the file that the server makes, and the client"
found "C core" "plain: plain, reached; a?b: a?b, UNAVAILABLE; a#b: a#b, UNAVAILABLE; a%3Fb: a?b, reached" \
	"$(paste -sd ';' python.seen | sed 's/;/; /g')"
found "grpc-js" "plain: plain, reached; a?b: a?b, reached; a#b: a#b, reached; a%3Fb: a%3Fb, reached" \
	"$(paste -sd ';' node.seen | sed 's/;/; /g')"
verdict
