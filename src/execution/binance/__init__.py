"""Binance USDⓈ-M Futures behind the ports of `execution.ports`. Wire names stop in this folder.

gateway          `BinanceGateway` (the port) and `connect_gateway`
orders           submit and cancel
lookups          what became of an order; the snapshot of a symbol
account          prices, positions, balances, settings, exchangeInfo
client           `UMFutures`, with our clock, our signature, our error translation, and no logging
transport        the HTTP session: connection pool, and the proof whether a request left
user_stream      `BinanceUserStream`: listen key, connection, reconnection
rest_messages    answers of the REST API: wire structs and their translation
stream_messages  events of the user data stream: wire structs and their translation
wire             what both share: strict statuses, lenient descriptions, unknown fields counted
usage            what an answer says about rate limits
urls             where the exchange is
"""
