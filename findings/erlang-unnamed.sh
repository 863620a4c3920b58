#!/usr/bin/env bash
# Question:  gen_udp receives a datagram on a unix socket from a sender without a name. Which address does Erlang give?
# Expected:  {local,<<>>}, as inet:peername gives it for a stream client without a name.
# Found:     {unspec,<<>>}. A clause for {local,Path} alone does not match. From a sender with a name it is {local,Path}.
# Version:   erlang-base 1:25.2.3+dfsg-1+deb12u4.
# Source:    Erlang/OTP, erts/emulator/drivers/common/inet_drv.c, inet_get_address; inet(3), "address_family()".
# For you:   a client of "unixgram" that has no name of its own (a nil local address) comes to Erlang so: bind it to a path.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/lib/common.sh"

debian erlang-base=1:25.2.3+dfsg-1+deb12u4
cat >receiver.erl <<'ERL'
-module(receiver).
-export([run/0]).
run() ->
    {ok, S} = gen_udp:open(0, [{ifaddr, {local, "s.sock"}}, {active, false}]),
    [begin {ok, {From, _, _}} = gen_udp:recv(S, 0, 10000), io:format("~0p ", [From]) end || _ <- [1, 2]],
    {ok, L} = gen_tcp:listen(0, [{ifaddr, {local, "l.sock"}}]),
    {ok, A} = gen_tcp:accept(L, 10000),
    {ok, Peer} = inet:peername(A),
    io:format("~0p~n", [Peer]),
    halt().
ERL
export ROOTDIR=$folder/tree/usr/lib/erlang EMU=beam PROGNAME=erl
BINDIR=$(echo "$ROOTDIR"/erts-*/bin)
export BINDIR
start "$BINDIR/erlexec" -boot "$ROOTDIR/bin/start_clean" -noinput -noshell -eval \
	'{ok, receiver, B} = compile:file("receiver.erl", [binary]), code:load_binary(receiver, "receiver", B), receiver:run().' >from
there s.sock
timeout 10 python3 -c '
import socket
a = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
a.sendto(b"x", "s.sock")
b = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
b.bind("b.sock")
b.sendto(b"x", "s.sock")'
there l.sock
timeout 10 python3 -c '
import socket
s = socket.socket(socket.AF_UNIX)
s.connect("l.sock")
s.recv(1)' &
wait
found "without a name, with one, a stream without one" '{unspec,<<>>} {local,<<"b.sock">>} {local,<<>>}' "$(<from)"
verdict
