// Check a person from Go: send images, print each answer, then the token.
//
// Usage: go run client.go ws://localhost:8321/ws IMAGE...
//
// Before that, in a folder with this file:
//
//	go mod init kiosk
//	go get github.com/gorilla/websocket
package main

import (
	"fmt"
	"os"
	"time"

	"github.com/gorilla/websocket"
)

const (
	pause           = 200 * time.Millisecond // about five frames a second
	maxMessageBytes = 2 << 20                // RESULT contains the best shot
)

// Command is a message of the client without a body.
type Command struct {
	Command string            `json:"command"`
	Headers map[string]string `json:"headers"`
}

// Answer is a message of the service.
type Answer struct {
	Command string `json:"command"`
	Headers struct {
		Seq int `json:"seq"`
	} `json:"headers"`
	Body struct {
		IsOk    bool   `json:"isOk"`
		Errors  []int  `json:"errors"`
		Jwt     string `json:"jwt"`
		Code    string `json:"code"`
		Message string `json:"message"`
	} `json:"body"`
}

func main() {
	token, err := check(os.Args[1], os.Args[2:])
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	fmt.Println("accepted", token)
}

// check sends images until there is a verdict, and returns its token.
func check(url string, files []string) (string, error) {
	dialer := websocket.Dialer{Subprotocols: []string{"lpproto.v1"}}
	socket, _, err := dialer.Dial(url, nil)
	if err != nil {
		return "", fmt.Errorf("no verdict: %w", err)
	}
	defer socket.Close()
	socket.SetReadLimit(maxMessageBytes)
	err = socket.WriteJSON(Command{Command: "CONNECT"})
	for err == nil {
		var answer Answer
		if err = socket.ReadJSON(&answer); err != nil {
			break
		}
		body := answer.Body
		switch answer.Command {
		case "CONNECTED", "DROPPED":
			files, err = sendFrame(socket, files)
		case "STATUS":
			fmt.Printf("frame %d: good %t, codes %v\n", answer.Headers.Seq, body.IsOk, body.Errors)
			if !body.IsOk { // else RESULT follows
				files, err = sendFrame(socket, files)
			}
		case "RESULT":
			if !body.IsOk {
				return "", fmt.Errorf("refused, codes %v", body.Errors)
			}
			return body.Jwt, nil
		case "ERROR":
			return "", fmt.Errorf("no verdict: %s: %s", body.Code, body.Message)
		}
	}
	return "", fmt.Errorf("no verdict: %w", err)
}

// sendFrame sends the first of the files and returns the others.
func sendFrame(socket *websocket.Conn, files []string) ([]string, error) {
	if len(files) == 0 {
		return nil, socket.WriteJSON(Command{Command: "DISCONNECT"}) // RESULT follows: refused, code 40
	}
	image, err := os.ReadFile(files[0])
	if err != nil {
		return nil, err
	}
	time.Sleep(pause)
	return files[1:], socket.WriteMessage(websocket.BinaryMessage, image)
}
