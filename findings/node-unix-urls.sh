#!/usr/bin/env bash
# Question:  a server listens at "…/a b.sock", with a space. Do Node's clients that take the path within a URL reach it?
# Expected:  yes: what is escaped in the URL is unescaped for the path, or the path is taken as it is.
# Found:     none of four does, neither by the plain space nor by "%20": all look for a file with "%20" in its name, since the URL parser
#            escapes and nobody unescapes. superagent, whose path is escaped altogether, unescapes the slashes and nothing else, so that
#            "c:d.sock" is not found either. The two that are given the path alone (Node's http, undici) reach it.
# Version:   ws 8.23.0, got 14.6.6, superagent 10.4.2, request 2.88.2, undici 7.16.0, with the Node that is installed.
# Source:    ws, lib/websocket.js, initAsClient; got, source/core/options.ts, url; superagent, src/node/index.js, request; request,
#            request.js, enableUnixSocket.
# For you:   a server for such clients keeps its path to letters, digits and -_./ (three of them end the path at a colon); or
#            look for ENOENT with "%20" in the client's log.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/lib/common.sh"

npm_packages ws@8.23.0 got@14.6.6 superagent@10.4.2 request@2.88.2 undici@7.16.0
mkdir sockets
cat >clients.mjs <<'JS'
import http from 'http';
import {createRequire} from 'module';
import got from 'got';
const require = createRequire(import.meta.url);
const {WebSocket, WebSocketServer} = require('ws'), superagent = require('superagent'), request = require('request'), undici = require('undici');
process.emitWarning = () => {};
const folder = process.cwd() + '/sockets/';
const names = ['plain.sock', 'a b.sock', 'c:d.sock'];
for (const name of names) {
	const server = http.createServer((_, answer) => answer.end('ok'));
	new WebSocketServer({server}).on('connection', client => client.send('ok'));
	await new Promise(listening => server.listen(folder + name, listening));
}
const clients = {
	'ws, plain': path => new Promise((seen, failed) => new WebSocket(`ws+unix:${path}:/`).on('message', seen).on('error', failed)),
	'ws, escaped': path => new Promise((seen, failed) => new WebSocket(`ws+unix:${encodeURI(path)}:/`).on('message', seen).on('error', failed)),
	'got, plain': path => got(`unix:${path}:/`, {enableUnixSockets: true, retry: {limit: 0}}).text(),
	'got, escaped': path => got(`unix:${encodeURI(path)}:/`, {enableUnixSockets: true, retry: {limit: 0}}).text(),
	'superagent': path => superagent.get(`http+unix://${encodeURIComponent(path)}/`).then(answer => answer.text),
	'request, plain': path => new Promise((seen, failed) => request(`http://unix:${path}:/`, (e, _, body) => e ? failed(e) : seen(body))),
	'request, escaped': path => new Promise((seen, failed) => request(`http://unix:${encodeURI(path)}:/`, (e, _, body) => e ? failed(e) : seen(body))),
	'http': path => new Promise((seen, failed) => http.get({socketPath: path}, answer => answer.on('data', seen)).on('error', failed)),
	'undici': path => undici.request('http://localhost/', {dispatcher: new undici.Agent({connect: {socketPath: path}})}).then(a => a.body.text()),
};
for (const [client, connect] of Object.entries(clients)) {
	const seen = [];
	for (const name of names) {
		seen.push(await connect(folder + name).then(String, e => (e.code || e.message) + (/%\w\w/.exec(e.message) || [''])[0]));
	}
	console.log(client + ': ' + seen.join(', '));
}
process.exit();
JS
timeout 60 node clients.mjs >seen 2>errors || cannot "$(tail -n 1 errors)"
seen() {
	sed -n "s/^$1: //p" seen
}
echo "each: plain.sock, a b.sock, c:d.sock"
found "ws, plain" "ok, ENOENT%20, ENOENT" "$(seen 'ws, plain')"
found "ws, escaped" "ok, ENOENT%20, ENOENT" "$(seen 'ws, escaped')"
found "got, plain" "ok, ENOENT%20, ENOENT" "$(seen 'got, plain')"
found "got, escaped" "ok, ENOENT%20, ENOENT" "$(seen 'got, escaped')"
found "superagent" "ok, ENOENT%20, ENOENT%3A" "$(seen superagent)"
found "request, plain" "ok, ENOENT%20, ENOENT" "$(seen 'request, plain')"
found "request, escaped" "ok, ENOENT%20, ENOENT" "$(seen 'request, escaped')"
found "http, undici" "ok, ok, ok / ok, ok, ok" "$(seen http) / $(seen undici)"
verdict
