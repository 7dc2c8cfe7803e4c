// Asks a host of world.py by net/http, with HTTP/2 and without; a line for each.
package main

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
)

func ask(name string, transport *http.Transport) {
	client := http.Client{Transport: transport}
	answer, err := client.Post("https://site.test/go", "text/plain", strings.NewReader("hello"))
	if err != nil {
		fmt.Println(name, err)
		return
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	fmt.Println(name, strings.TrimSpace(string(body)), err)
}

func main() {
	ask("http2", &http.Transport{ForceAttemptHTTP2: true})
	ask("http1", &http.Transport{TLSNextProto: map[string]func(string, *tls.Conn) http.RoundTripper{}})
	addresses, err := (&net.Resolver{PreferGo: true}).LookupHost(context.Background(), "site.test")
	fmt.Println("lookup", addresses, err)
}
