// echo-go tcp|udp|welcome|greet: a server made with Go's package net. It prints "PORT n", its port on 127.0.0.1.
package main

import (
	"fmt"
	"net"
	"os"
	"runtime"
)

const host = "127.0.0.1:0"

func reportPort(address net.Addr) {
	_, port, _ := net.SplitHostPort(address.String())
	fmt.Println("PORT", port)
}

func echo(connection net.Conn) {
	defer connection.Close()
	buffer := make([]byte, 64<<10)
	for {
		length, err := connection.Read(buffer)
		if err != nil {
			return
		}
		if _, err := connection.Write(buffer[:length]); err != nil {
			return
		}
	}
}

func welcome(connection net.Conn) {
	defer connection.Close()
	connection.Read(make([]byte, 64))
	connection.Write([]byte("welcome to server!"))
}

func greet(connection net.Conn) {
	defer connection.Close()
	connection.Write([]byte("connected"))
}

func serveConnections(serve func(net.Conn)) error {
	listener, err := net.Listen("tcp", host)
	if err != nil {
		return err
	}
	reportPort(listener.Addr())
	for {
		connection, err := listener.Accept()
		if err != nil {
			return err
		}
		go serve(connection)
	}
}

func echoDatagrams(port *net.UDPConn) error {
	buffer := make([]byte, 64<<10)
	for {
		length, peer, err := port.ReadFromUDPAddrPort(buffer)
		if err != nil {
			return err
		}
		port.WriteToUDPAddrPort(buffer[:length], peer)
	}
}

// serveDatagrams serves with a goroutine per core that the program uses.
func serveDatagrams() error {
	address, err := net.ResolveUDPAddr("udp", host)
	if err != nil {
		return err
	}
	port, err := net.ListenUDP("udp", address)
	if err != nil {
		return err
	}
	reportPort(port.LocalAddr())
	for others := runtime.GOMAXPROCS(0) - 1; others > 0; others-- {
		go echoDatagrams(port)
	}
	return echoDatagrams(port)
}

func main() {
	serve := map[string]func() error{
		"tcp":     func() error { return serveConnections(echo) },
		"udp":     serveDatagrams,
		"welcome": func() error { return serveConnections(welcome) },
		"greet":   func() error { return serveConnections(greet) },
	}
	fmt.Fprintln(os.Stderr, serve[os.Args[1]]())
	os.Exit(1)
}
