@echo off
reg query "HKLM\SOFTWARE\GoLang" /v "GOROOT" >nul 2>&1 && (
    for /f "tokens=2,*" %%a in ('reg query "HKLM\SOFTWARE\GoLang" /v "GOROOT" ^| findstr "REG_SZ"') do set "FOUND=%%b"
) || set "FOUND="
if exist "%FOUND%\bin\go.exe" (
    set "GOROOT=%FOUND%"
) else (
    set "GOROOT=C:\Go"
)
echo GOROOT=[%GOROOT%]
